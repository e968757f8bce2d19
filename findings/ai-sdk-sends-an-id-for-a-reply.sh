#!/usr/bin/env bash
# ai 6.0.326 with @ai-sdk/openai 3.0.141: of a second turn the server gets the first reply's id, and not a word of it.
#
# Guess: `createOpenAI({baseURL})("model")` speaks /v1/chat/completions, as every server "of OpenAI's API" has it; and who
#        passes `messages` with the reply in them sends that reply, as all clients of an API without memory do.
# Seen:  it speaks /v1/responses. The assistant's message is sent as {"type": "item_reference", "id": "msg_…"}, since it
#        came with an id and `store` was not set to false: the reply's text, which is in `messages`, is not in the request.
#        A server that kept nothing sees a question about nothing. `.chat("model")` sends the text.
# So:    a server that offers /v1/responses needs a store of items, or has to refuse what it does not know; who uses the
#        client sets providerOptions.openai.store to false, or takes `.chat(…)`, or @ai-sdk/openai-compatible.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
export npm_config_cache="$folder/cache" npm_config_update_notifier=false
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund ai@6.0.326 @ai-sdk/openai@3.0.141 zod@4.6.7
cat >turns.mjs <<'JS'
import { createServer } from "node:http";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText } from "ai";

const part = { type: "output_text", text: "My name is Ada.", annotations: [] };
const item = { id: "msg_1", type: "message", role: "assistant", status: "completed", content: [part] };
const response = { id: "resp_1", object: "response", created_at: 1, model: "m", status: "completed", output: [item] };
const message = { role: "assistant", content: part.text };
const completion = {
  id: "1", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message, finish_reason: "stop" }],
};
const asked = [];
const server = createServer(async (request, answer) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  asked.push([request.url, JSON.parse(body)]);
  answer.setHeader("Content-Type", "application/json");
  const usage = { input_tokens: 1, output_tokens: 1, prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  answer.end(JSON.stringify({ ...(request.url.endsWith("/responses") ? response : completion), usage }));
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const provider = createOpenAI({ baseURL: `http://127.0.0.1:${server.address().port}/v1`, apiKey: "none" });

async function secondTurn(model, providerOptions) {
  const messages = [{ role: "user", content: "Who are you?" }];
  messages.push(...(await generateText({ model, messages, providerOptions })).response.messages);
  messages.push({ role: "user", content: "Say it again." });
  await generateText({ model, messages, providerOptions });
  const [url, body] = asked.at(-1);
  const sent = (body.input ?? body.messages)[1];
  console.log(`${url} ${sent.type ?? sent.role} ${JSON.stringify(sent).includes("Ada") ? "with" : "without"} the text`);
}

await secondTurn(provider("m"));
await secondTurn(provider("m"), { openai: { store: false } });
await secondTurn(provider.chat("m"));
server.close();
server.closeAllConnections();
JS
seen=$(node turns.mjs)
echo "ai $(node -p 'require("./node_modules/ai/package.json").version')," \
  "@ai-sdk/openai $(node -p 'require("./node_modules/@ai-sdk/openai/package.json").version')"
echo "what stands for the first reply in the second request, by default, with store: false, and with .chat:"
echo "$seen"
[[ $seen == "/v1/responses item_reference without the text
/v1/responses assistant with the text
/v1/chat/completions assistant with the text" ]]
