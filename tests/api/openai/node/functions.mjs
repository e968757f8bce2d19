// A function that three clients for Node run by themselves when the model calls it, and send the result of; tells the
// cities it was run with and the answers, as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const at = { baseURL: `${process.argv[2]}/v1`, apiKey: "none" };
const prompt = "How is the weather in Paris?";
const cities = [];
const answers = [];

function weather({ city }) {
  cities.push(city);
  return `Sun in ${city}.`;
}

const client = new OpenAI({ ...at, maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
for (const stream of [false, true]) {
  const runner = client.chat.completions.runTools({
    model: "default",
    stream,
    messages: [{ role: "user", content: prompt }],
    tools: [{ type: "function", function: { name: "weather", parameters, function: weather, parse: JSON.parse } }],
  });
  answers.push(await runner.finalContent());
}

const tools = { weather: tool({ inputSchema: z.object({ city: z.string() }), execute: weather }) };
for (const model of [
  createOpenAI(at)("default"),
  createOpenAI(at).chat("default"),
  createOpenAICompatible({ name: "ours", ...at })("default"),
]) {
  const asked = { model, tools, prompt, stopWhen: stepCountIs(2), maxRetries: 0 };
  answers.push((await generateText(asked)).text);
  answers.push(await streamText({ ...asked, onError: ({ error }) => console.error(error) }).text);
}
console.log(JSON.stringify({ cities, answers }));
