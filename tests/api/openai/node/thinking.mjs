// What a model thinks, as three clients for Node read it: whole and streamed, two turns, sent back as each holds it;
// tells thinking and text of each turn, as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const at = { baseURL: `${process.argv[2]}/v1`, apiKey: "none" };
const turns = ["hi, how are you?", "And you?"];
const told = {};

const client = new OpenAI({ ...at, maxRetries: 0 });
const messages = [];
told["openai-chat"] = [];
for (const content of turns) {
  messages.push({ role: "user", content });
  const { message } = (await client.chat.completions.create({ model: "default", messages })).choices[0];
  messages.push(message);
  told["openai-chat"].push([message.reasoning_content, message.content]);
}

let previous_response_id;
told["openai-responses"] = [];
for (const input of turns) {
  const made = await client.responses.create({ model: "default", input, previous_response_id });
  previous_response_id = made.id;
  const item = made.output.find((item) => item.type === "reasoning");
  told["openai-responses"].push([item.content[0].text, made.output_text]);
}

// It reads summaries alone, and asks only models for them that it knows, or is told, to think.
const summaries = { openai: { forceReasoning: true, reasoningSummary: "auto" } };
const models = {
  "ai-responses": [createOpenAI(at)("default"), summaries],
  "ai-compatible": [createOpenAICompatible({ name: "ours", ...at })("default"), {}],
};
for (const [name, [model, providerOptions]] of Object.entries(models)) {
  for (const way of [generateText, streamText]) {
    const said = [];
    const key = way === streamText ? `${name}-streamed` : name;
    told[key] = [];
    for (const content of turns) {
      said.push({ role: "user", content });
      const result = await way({ model, messages: said, maxRetries: 0, providerOptions });
      told[key].push([await result.reasoningText, await result.text]);
      said.push(...(await result.response).messages);
    }
  }
}
console.log(JSON.stringify(told));
