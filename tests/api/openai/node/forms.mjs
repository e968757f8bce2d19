// Replies of a schema as three clients for Node ask for them by their own helpers; tells each as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, streamObject } from "ai";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const at = { baseURL: `${process.argv[2]}/v1`, apiKey: "none" };
const schema = z.object({ happy: z.boolean(), mood: z.enum(["good", "bad"]) });
const prompt = "hi, how are you?";
const told = {};

const client = new OpenAI({ ...at, maxRetries: 0 });
const chat = await client.chat.completions.parse({
  model: "default",
  messages: [{ role: "user", content: prompt }],
  response_format: zodResponseFormat(schema, "mood"),
});
told.chat = chat.choices[0].message.parsed;
const response = await client.responses.parse({
  model: "default",
  input: prompt,
  text: { format: zodTextFormat(schema, "mood") },
});
told.responses = response.output_parsed;

const models = {
  "ai-responses": createOpenAI(at)("default"),
  "ai-chat": createOpenAI(at).chat("default"),
  "ai-compatible": createOpenAICompatible({ name: "ours", ...at, supportsStructuredOutputs: true })("default"),
};
for (const [name, model] of Object.entries(models)) {
  told[name] = (await generateObject({ model, schema, prompt, maxRetries: 0 })).object;
  const stream = streamObject({ model, schema, prompt, maxRetries: 0 });
  for await (const _ of stream.partialObjectStream);
  told[`${name}-streamed`] = await stream.object;
}
console.log(JSON.stringify(told));
