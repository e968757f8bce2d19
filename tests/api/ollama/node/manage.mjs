// Pulls the model named from the server at the address given, talks to it and removes it; tells what came, as JSON.
import { Ollama } from "ollama";

const [host, model] = process.argv.slice(2);
const client = new Ollama({ host });
const list = async () => (await client.list()).models.map((each) => each.name);
const statuses = [];
let completed = 0;
for await (const line of await client.pull({ model, stream: true })) {
  statuses.push(line.status);
  completed = line.completed ?? completed;
}
const pulled = await list();
const messages = [{ role: "user", content: "hi, how are you?" }];
const said = (await client.chat({ model, messages, options: { temperature: 0, num_predict: 8 } })).message.content;
const deleted = (await client.delete({ model })).status;
console.log(JSON.stringify({ statuses, completed, pulled, said, deleted, left: await list() }));
