// Turns of a chat with one of three clients for Node, as test_turns.py asks for them; tells the replies, as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const [name, asked] = process.argv.slice(2);
const { url, model, turns, stream, leave, key } = JSON.parse(asked);
const left = new AbortController();
const messages = [];
let pieces = 0;

function read() {
  if (leave && ++pieces === leave) left.abort();
}

async function openai() {
  const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
  const body = { model, messages, temperature: 0 };
  if (!stream) {
    messages.push((await client.chat.completions.create(body)).choices[0].message);
  } else {
    const events = client.chat.completions.stream(body, { signal: left.signal }).on("content", read);
    messages.push((await events.finalChatCompletion()).choices[0].message);
  }
  return messages.at(-1).content;
}

async function aiSdk(provider) {
  const body = { model: provider(model), messages, temperature: 0, maxRetries: 0, abortSignal: left.signal };
  let failure, result;
  if (!stream) {
    result = await generateText(body);
  } else {
    result = streamText({ ...body, onError: ({ error }) => (failure = error) });
    for await (const _ of result.textStream) read();
    if (failure) throw failure;
    if (left.signal.aborted) return "";
  }
  messages.push(...(await result.response).messages);
  return result.text;
}

const clients = {
  openai,
  "ai-sdk": () => aiSdk(createOpenAI({ baseURL: url, apiKey: key })),
  "ai-sdk-compatible": () => aiSdk(createOpenAICompatible({ name: "ours", baseURL: url, apiKey: key })),
};

const replies = [];
try {
  for (const turn of turns) {
    messages.push({ role: "user", content: turn });
    replies.push(await clients[name]());
  }
} catch (error) {
  if (!left.signal.aborted) throw error;
}
console.log(JSON.stringify(replies));
