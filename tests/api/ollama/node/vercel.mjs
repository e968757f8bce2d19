// Talks to Ollama's API at the address given through Vercel's AI SDK and its provider; tells what came, as JSON.
import { generateText, stepCountIs, streamText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import { z } from "zod";

const model = createOllama({ baseURL: `${process.argv[2]}/api` })("default");
const prompt = "hi, how are you?";

const whole = await generateText({ model, prompt, maxRetries: 0 });
let streamed = "";
for await (const piece of streamText({ model, prompt, maxRetries: 0 }).textStream) streamed += piece;

const cities = [];
const weather = tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    cities.push(city);
    return `Sun in ${city}.`;
  },
});
const agent = await generateText({ model, prompt, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0 });

console.log(JSON.stringify({ whole: whole.text, streamed, cities, answer: agent.text }));
