// Three turns of Vercel's `ai` over /v1/responses, the messages sent back as it holds them; tells what came and how many
// of the messages it referred to by their ids, as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

let references = 0;
const openai = createOpenAI({
  baseURL: `${process.argv[2]}/v1`,
  apiKey: "none",
  fetch: (url, options) => {
    references += JSON.parse(options.body).input.filter((item) => item.type === "item_reference").length;
    return fetch(url, options);
  },
});
const model = openai("default");
const messages = [];
const texts = [];
for (const [turn, content] of ["hi, how are you?", "And you?", "Why?"].entries()) {
  messages.push({ role: "user", content });
  const asked = { model, messages, maxRetries: 0 };
  const told = turn === 1 ? streamText({ ...asked, onError: ({ error }) => console.error(error) }) : await generateText(asked);
  texts.push(await told.text);
  messages.push(...(await told.response).messages);
}
console.log(JSON.stringify({ texts, references }));
