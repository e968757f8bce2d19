// A client that is not ours: lists the tools of an MCP server, calls some, and prints what it was told as JSON.
// node talk.mjs CALLS http URL KEY | node talk.mjs CALLS stdio COMMAND ARGS…      CALLS is [[name, arguments], …]
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [calls, kind, where, ...rest] = process.argv.slice(2);
const transport = kind === "http"
  ? new StreamableHTTPClientTransport(new URL(where), {
      requestInit: { headers: rest[0] ? { Authorization: `Bearer ${rest[0]}` } : {} },
    })
  : new StdioClientTransport({ command: where, args: rest, env: process.env, stderr: "inherit" });
const client = new Client({ name: "talk", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const results = [];
for (const [name, args] of JSON.parse(calls)) {
  const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 600_000 });
  results.push([result.isError ?? false, result.content.map((part) => part.text).join("\n")]);
}
console.log(JSON.stringify({ server: client.getServerVersion().name, tools: tools.map((tool) => tool.name), results }));
await client.close();
