/** `weave mcp import` and `weave check --online` with real servers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { project, root, weave } from "../support/cli.js";

const everything = [process.execPath, join(root, "node_modules/@modelcontextprotocol/server-everything/dist/index.js")];
const filesystem = [process.execPath, join(root, "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js")];
const faulty = [process.execPath, join(root, "test/support/mcp-server.mjs")];

test("the tools of a server are declared, compile, differ in nothing from the server, and can be called", async () => {
  const cwd = project({ "notes.txt": "wool" });
  const imported = await weave(["mcp", "import", "--name", "files", "--out", "files.weave", ...filesystem, "."], { cwd });
  expect([imported.code, imported.err]).toEqual([0, expect.stringContaining("14 tools of files in files.weave")]);
  const declared = readFileSync(join(cwd, "files.weave"), "utf8");
  expect(declared).toContain("@reads\ntool read_text_file(");
  expect(declared).toContain("@idempotent\neffect tool write_file(");
  const checked = await weave(["check", "files.weave", "--online"], { cwd });
  expect([checked.code, checked.err]).toEqual([0, expect.stringContaining("no problems")]);
  const program = 'import { read_text_file } from "./files.weave"\nflow main(path: string) -> string { read_text_file(path).content }\n';
  const run = await weave(["run", "main.weave", "--path", "notes.txt"], {
    cwd: project({ "main.weave": program, "files.weave": declared, "notes.txt": "wool" }),
  });
  expect([run.out, run.code]).toEqual(["wool\n", 0]);
  const again = await weave(["mcp", "import", "--out", "files.weave", ...filesystem, "."], { cwd });
  expect([again.code, again.err]).toEqual([2, "error: files.weave is there already; nothing was written\n"]);
});

test("a server that a file declares gets its tools without a second declaration", async () => {
  const cwd = project({ "main.weave": `mcp all_of_it { command: ${JSON.stringify(everything)} }\nflow echo() -> int { 1 }\n` });
  const { out, code } = await weave(["mcp", "import", "--only", "echo", "main.weave"], { cwd });
  expect(code).toBe(0);
  expect(out).toBe(
    '/// Echoes back the input string\n@reads\ntool echo_2(\n  /// Message to echo\n  message: string\n) -> string = mcp(all_of_it, "echo")\n',
  );
});

const other = [
  { name: "gone", inputSchema: { type: "object" } },
  {
    name: "add",
    inputSchema: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" }, how: { enum: ["x", "y"] } },
      required: ["a", "b", "how"],
    },
  },
  {
    name: "find",
    inputSchema: {
      type: "object",
      properties: { text: { type: "string" }, from: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
      required: ["text"],
    },
    annotations: { destructiveHint: true },
  },
  {
    name: "stat",
    inputSchema: { type: "object" },
    outputSchema: { type: "object", properties: { size: { type: "number" } } },
    annotations: { readOnlyHint: true },
  },
];

test("declarations that differ from the server are told, each in its own way", async () => {
  const source = `mcp s { command: ${JSON.stringify(faulty)}, env: { SCHEMAS: ${JSON.stringify(JSON.stringify(other)).replaceAll("{{", "\\\\{{")} } }
effect tool lost() -> json = mcp(s, "gonne")
effect tool add(a: string, how: string, c: int) -> json = mcp(s, "add")
@reads
tool seek(text: string?, from: { n: int? }) -> json = mcp(s, "find")
@reads
tool stat() -> { size: int } = mcp(s, "stat")
`;
  const { err, code } = await weave(["check", "main.weave", "--online"], { cwd: project({ "main.weave": source }) });
  expect(code).toBe(3);
  const told = [...err.matchAll(/^(?:error|warning)\[(W\d+)\]: (.*)$/gm)].map(([, id, title]) => `${id} ${title}`);
  expect(told).toEqual([
    'W0971 The MCP server `s` has no tool "gonne"',
    'W0972 The server\'s tool "add" needs `b`, which is not declared',
    'W0973 The server\'s tool "add" does not know `c`',
    'W0974 `a`, `how` do not fit what the server\'s tool "add" takes',
    'W0974 `text`, `from` do not fit what the server\'s tool "find" takes',
    'W0976 The server\'s tool "find" may change something, but is declared `@reads`',
    'W0975 The server\'s tool "stat" gives something else than is declared',
  ]);
});

test("a server that cannot be reached is a problem of its own, without its secrets", async () => {
  const token = "wool-and-linen-4711";
  const command = [process.execPath, "-e", "console.error('bad token ' + process.env.TOKEN); process.exit(1)"];
  const source = `mcp s { command: ${JSON.stringify(command)}, env: { TOKEN: secret("TOKEN") } }\n`;
  const cwd = project({ "main.weave": source });
  const { err, code } = await weave(["check", "main.weave", "--online"], { cwd, env: { TOKEN: token } });
  expect(code).toBe(3);
  expect(err).toContain("error[W0970]: The MCP server `s` cannot be asked");
  expect(err).toContain("bad token [redacted]");
  expect(err).not.toContain(token);
  const unset = await weave(["check", "main.weave", "--online"], { cwd });
  expect(unset.err).toContain("error[W0903]");
  const imported = await weave(["mcp", "import", "--env", "TOKEN", ...command], { cwd, env: { TOKEN: token } });
  expect([imported.code, imported.out]).toEqual([1, ""]);
  expect(imported.err).not.toContain(token);
});

test.each([
  [["mcp", "import", "https://example.com/mcp", "more"], "nothing stands after an address"],
  [["mcp", "import", "--header", "A", "https://example.com/mcp"], "--header Name=VARIABLE"],
  [["mcp", "import", "--env", "NOT_SET_HERE", "server"], "NOT_SET_HERE is not set"],
  [["mcp", "import", "--header", "A=B", "server"], "a program takes variables with --env"],
  [["mcp", "import", "none.weave"], "error[W0950]"],
  [["mcp", "import", "--only", "ech", ...everything], "did you mean echo?"],
])("wrong use is told: %j", async (args, message) => {
  const { err, code } = await weave(args, { cwd: project({}) });
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
});
