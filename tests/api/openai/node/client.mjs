// Talks to the API at the address given, as any program with OpenAI's client for Node would; tells what came, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hi, how are you?" }];
const asked = { model: "default", messages, max_tokens: 20, temperature: 0 };

const models = [];
for await (const model of client.models.list()) models.push(model.id);

const whole = await client.chat.completions.create(asked);
let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}

const text = await client.completions.create({ model: "default", prompt: "Data Science is", max_tokens: 5 });

const response = await client.responses.create({ model: "default", input: "hi, how are you?", temperature: 0 });
const kinds = [];
let delta = "";
for await (const event of await client.responses.create({
  model: "default",
  input: "hi, how are you?",
  temperature: 0,
  stream: true,
})) {
  kinds.push(event.type);
  if (event.type === "response.output_text.delta") delta += event.delta;
}

let refused = null;
try {
  await client.chat.completions.create({ ...asked, model: "gpt-4o" });
} catch (error) {
  refused = { status: error.status, code: error.code, kind: error.constructor.name };
}

console.log(
  JSON.stringify({
    models,
    whole: whole.choices[0].message.content,
    usage: [whole.usage, usage],
    streamed,
    text: text.choices[0].text,
    response: response.output_text,
    delta,
    last: kinds.at(-1),
    refused,
  }),
);
