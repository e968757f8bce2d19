// Talks to the API at the address given, as programs with Anthropic's client for Node and with Vercel's do; tells what
// came, as JSON.
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

globalThis.AI_SDK_LOG_WARNINGS = false; // they would stand before the JSON
const [address, part] = process.argv.slice(2);
const client = new Anthropic({ baseURL: address, apiKey: "none", maxRetries: 0 });
const provider = createAnthropic({ baseURL: `${address}/v1`, apiKey: "none" });
const messages = [{ role: "user", content: "hi, how are you?" }];
const asked = { model: "default", messages, max_tokens: 20 };
const cities = [];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = (input) => {
  cities.push(input.city);
  return `Sun in ${input.city}.`;
};

function textOf(message) {
  return message.content.map((block) => block.text ?? "").join("");
}

async function text() {
  const whole = await client.messages.create({ ...asked, temperature: 0 });
  const stream = client.messages.stream({ ...asked, temperature: 0 });
  let pieces = "";
  stream.on("text", (piece) => (pieces += piece));
  const final = await stream.finalMessage();
  const counted = await client.messages.countTokens({ model: "default", messages });
  let refused = null;
  try {
    await client.messages.create({ ...asked, model: "claude-of-nobody" });
  } catch (error) {
    refused = { status: error.status, kind: error.constructor.name, type: error.error.error.type };
  }
  const body = { model: provider("default"), messages, temperature: 0, maxOutputTokens: 20, maxRetries: 0 };
  const generated = await generateText(body);
  let streamed = "";
  const result = streamText(body);
  for await (const piece of result.textStream) streamed += piece;
  return {
    texts: [textOf(whole), pieces, textOf(final), generated.text, streamed],
    tokens: [whole.usage.input_tokens, final.usage.input_tokens, counted.input_tokens, generated.usage.inputTokens],
    reasons: [whole.stop_reason, final.stop_reason],
    refused,
  };
}

async function tools() {
  const own = { name: "weather", description: "The weather of a city.", input_schema: schema };
  const turns = [...messages];
  const stream = client.messages.stream({ ...asked, messages: turns, tools: [own] });
  const first = await stream.finalMessage();
  const call = first.content.find((block) => block.type === "tool_use");
  turns.push({ role: "assistant", content: first.content });
  turns.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: weather(call.input) }] });
  const last = await client.messages.create({ ...asked, messages: turns, tools: [own] });
  const offered = {
    weather: tool({ description: "The weather.", inputSchema: jsonSchema(schema), execute: async (i) => weather(i) }),
  };
  const body = { model: provider("default"), messages, tools: offered, stopWhen: stepCountIs(3), maxRetries: 0 };
  const generated = await generateText(body);
  const result = streamText(body);
  let streamed = "";
  for await (const piece of result.textStream) streamed += piece;
  return { cities, answers: [textOf(last), generated.text, streamed] };
}

async function thinking() {
  const thinks = { type: "enabled", budget_tokens: 1024 };
  const body = { ...asked, max_tokens: 2000, thinking: thinks };
  const whole = await client.messages.create(body);
  const final = await client.messages.stream(body).finalMessage();
  const told = ({ content }) => [content[0].thinking, content[1].text, Boolean(content[0].signature)];
  const options = { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } };
  const ask = { model: provider("default"), messages, maxRetries: 0, providerOptions: options };
  const first = await generateText(ask);
  const turns = [...messages, ...first.response.messages, ...messages];
  const second = await generateText({ ...ask, messages: turns });
  const result = streamText(ask);
  const streamed = [await result.reasoningText, await result.text, true];
  const vercel = [first, second].map((each) => [each.reasoningText, each.text, true]);
  return [told(whole), told(final), ...vercel, streamed];
}

async function forms() {
  const form = { type: "object", properties: { happy: { type: "boolean" } }, required: ["happy"] };
  const closed = jsonSchema({ ...form, additionalProperties: false });
  const made = await generateObject({ model: provider("default"), messages, schema: closed, maxRetries: 0 });
  return made.object;
}

console.log(JSON.stringify(await { text, tools, thinking, forms }[part]()));
