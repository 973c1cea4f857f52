// A small MCP server with the faults that real ones have; `node mcp-server.mjs LOG` writes down its starts and calls.
import { appendFileSync } from "node:fs";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const note = (line) => process.argv[2] && appendFileSync(process.argv[2], `${line}\n`);
note(`start ${process.pid} ${process.cwd()}`);
console.log("hello, I greet on the wrong stream");

const text = (value) => ({ content: [{ type: "text", text: value }] });
const never = () => new Promise(() => undefined);
const tools = {
  echo: ({ value }) => text(JSON.stringify(value ?? null)),
  words: () => ({ content: ["a", "b"].map((value) => ({ type: "text", text: value })) }),
  structured: () => ({ ...text("see the structure"), structuredContent: { n: 1, extra: true } }),
  wrong: () => text("not what was declared"),
  refuse: () => ({ ...text(`no: token ${process.env.TOKEN}`), isError: true }),
  die: () => {
    console.error(`panic: out of wool, token ${process.env.TOKEN}`);
    process.exit(3);
  },
  hang: never,
  picture: () => ({ content: [{ type: "image", data: "aGk=", mimeType: "image/png" }] }),
};
const schemas = JSON.parse(process.env.SCHEMAS ?? "null");
const server = new Server({ name: "faulty", version: "1" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: schemas ?? Object.keys(tools).map((name) => ({ name, inputSchema: { type: "object" } })),
}));
server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
  note(`call ${params.name} ${JSON.stringify(params.arguments)}`);
  signal.addEventListener("abort", () => note(`aborted ${params.name}`));
  return tools[params.name](params.arguments ?? {});
});
await server.connect(new StdioServerTransport());
