// Two turns through the stream helper of OpenAI's client for Node, the message sent back as it came; tells both, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "hi, how are you?" }];
const told = [];
for (const next of ["And you?", null]) {
  const stream = client.chat.completions.stream({ model: "default", messages, temperature: 0 });
  const message = (await stream.finalChatCompletion()).choices[0].message;
  told.push(message.content);
  messages.push(message, { role: "user", content: next });
}
console.log(JSON.stringify(told));
