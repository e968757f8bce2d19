// Asks for vectors as OpenAI's client for Node does; tells what came, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const input = ["The mountain gets much rain.", "Bread is baked at night.", "A ship lies in the harbour."];
const rows = async (fields) =>
  (await client.embeddings.create({ model: "default", input, ...fields })).data.map((each) => each.embedding);

let status = null;
try {
  await client.embeddings.create({ model: "default", input: [] });
} catch (error) {
  status = error.status;
}
console.log(JSON.stringify({ floats: await rows({}), plain: await rows({ encoding_format: "float" }), status }));
