// Talks to Ollama's API at the address given, as any program with its client for Node would; tells what came, as JSON.
import { Ollama } from "ollama";

const invalid = [];
console.warn = (...words) => invalid.push(words.join(" "));

const client = new Ollama({ host: process.argv[2] });
const messages = [{ role: "user", content: "hi, how are you?" }];
const asked = { model: "default", messages, options: { temperature: 0, num_predict: 20 } };

const models = (await client.list()).models.map((each) => each.name);
const whole = await client.chat(asked);
let streamed = "";
let last = null;
for await (const line of await client.chat({ ...asked, stream: true })) {
  streamed += line.message.content;
  last = line;
}
const generated = await client.generate({ model: "default", prompt: messages[0].content, options: asked.options });
const format = {
  type: "object",
  properties: { happy: { type: "boolean" } },
  required: ["happy"],
  additionalProperties: false,
};
const form = JSON.parse((await client.chat({ ...asked, format, options: {} })).message.content);

let refused = null;
try {
  await client.chat({ ...asked, model: "llama3.2" });
} catch (error) {
  refused = error.message;
}

console.log(
  JSON.stringify({
    models,
    whole: whole.message.content,
    streamed,
    last,
    generated: generated.response,
    form,
    refused,
    invalid,
  }),
);
