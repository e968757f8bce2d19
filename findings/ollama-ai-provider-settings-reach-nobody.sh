#!/usr/bin/env bash
# ollama-ai-provider-v2 3.6.0 with ai 6.0.326: `temperature`, `topP` and `maxOutputTokens` are sent where Ollama does not look.
#
# Guess: the settings that all providers of `ai` share reach the model; what a provider cannot do is among `warnings`.
# Seen:  the request to /api/chat has "temperature", "top_p" and "max_output_tokens" beside "model". Ollama's API knows them
#        in "options" alone, the last as "num_predict", and passes over other fields: a reply asked to have 5 tokens goes on,
#        and temperature 0 is 0.8. `warnings` is empty. `seed` and `stopSequences`, which Ollama has, are "unsupported".
# So:    say them as providerOptions: {ollama: {options: {temperature, num_predict, seed, stop}}}, which arrive; a server of
#        this API that names ignored fields shows the mistake.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export npm_config_cache="$folder/cache" npm_config_update_notifier=false
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund ai@6.0.326 ollama-ai-provider-v2@3.6.0 zod@4.6.7
cat >ask.mjs <<'JS'
import { createServer } from "node:http";
import { generateText } from "ai";
import { createOllama } from "ollama-ai-provider-v2";

globalThis.AI_SDK_LOG_WARNINGS = false;
const message = { role: "assistant", content: "good day" };
const answer = { model: "m", created_at: "2026-01-01T00:00:00Z", message, done: true, done_reason: "stop" };
let asked;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  asked = JSON.parse(body);
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ ...answer, prompt_eval_count: 1, eval_count: 2 }));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const model = createOllama({ baseURL: `http://127.0.0.1:${server.address().port}/api` })("m");

async function sent(settings) {
  const { warnings } = await generateText({ model, prompt: "hi", ...settings });
  const { temperature, top_p, max_output_tokens, options } = asked;
  const unsupported = warnings.map((each) => each.details);
  console.log(JSON.stringify({ temperature, top_p, max_output_tokens, options, unsupported }));
}

await sent({ temperature: 0, topP: 0.5, maxOutputTokens: 5 });
await sent({ seed: 3, stopSequences: ["."] });
await sent({ providerOptions: { ollama: { options: { temperature: 0, num_predict: 5, seed: 3, stop: ["."] } } } });
server.close();
server.closeAllConnections();
JS
seen=$(node ask.mjs)
echo "ollama-ai-provider-v2 $(node -p 'require("./node_modules/ollama-ai-provider-v2/package.json").version')"
echo "$seen"
[[ $seen == '{"temperature":0,"top_p":0.5,"max_output_tokens":5,"unsupported":[]}
{"unsupported":["seed","stopSequences"]}
{"options":{"temperature":0,"seed":3,"stop":["."],"num_predict":5},"unsupported":[]}' ]]
