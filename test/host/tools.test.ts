import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { toolHost } from "../../src/host/tools/host.js";
import type { BindingIR, ToolIR, TypeIR } from "../../src/plan/ir.js";
import type { ToolContext } from "../../src/runtime/tool.js";
import * as f from "../support/flows.js";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "weave-tools-"));
});

const context = (signal = new AbortController().signal): ToolContext => ({
  signal,
  run: "r",
  call: "main/t",
  attempt: 1,
  cwd: directory,
  idempotencyKey: undefined,
  log: () => undefined,
  emit: () => undefined,
  clock: virtualClock(),
  random: () => 0.5,
});
const bound = (file: string, name: string): ToolIR => f.tool(name, { binding: { kind: "module", file, export: name } });
const host = (allowed: readonly string[] = []) => toolHost({ directory, allowed });
async function std(
  module: string,
  name: string,
  args: Readonly<Record<string, unknown>>,
  allowed: readonly string[] = [],
): Promise<unknown> {
  const found = await host(allowed).load(bound(`std:${module}`, name));
  return found(args, context());
}

describe("modules", () => {
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return name;
  };

  it("load TypeScript, also with syntax that is more than types and imports without its ending", async () => {
    await file("other.ts", "export const two: number = 2;");
    const plain = await host().load(
      bound(await file("plain.ts", "export function add({ a }: { a: number }): number { return a + 1; }"), "add"),
    );
    expect(plain({ a: 1 }, context())).toBe(2);
    const rich = await host().load(
      bound(await file("rich.ts", 'import { two } from "./other.js";\nenum E { A = 40 }\nexport const add = () => E.A + two;'), "add"),
    );
    expect(rich({}, context())).toBe(42);
  });

  it.each<[string, string | undefined, string, RegExp]>([
    ["none.ts", undefined, "x", /^There is no file none\.ts\.$/],
    ["lacks.mjs", "export function a() {}\nexport const b = () => 1;", "x", /^lacks\.mjs does not export `x`\. It exports a, b\.$/],
    ["value.mjs", "export const x = 1;", "x", /^value\.mjs exports `x`, but it is not a function\.$/],
    ["throws.mjs", 'throw new Error("no database");', "x", /^Loading throws\.mjs failed: no database$/],
    ["broken.ts", "export function x( {", "x", /^Loading broken\.ts failed: /],
    ["missing.mjs", 'import "not-there";', "x", /^Loading missing\.mjs failed: .*not-there/],
  ])("say why %s cannot be used", async (name, text, wanted, message) => {
    if (text !== undefined) await file(name, text);
    const failed: unknown = await host()
      .load(bound(name, wanted))
      .catch((thrown: unknown) => thrown);
    expect((failed as Error).message).toMatch(message);
    expect((failed as Error).message).not.toMatch(/^\s+at /m);
  });

  it.each<[string, ReturnType<typeof Object>, TypeIR, object]>([
    ["throw", () => Promise.reject(new Error("broken")), f.int, { kind: "tool_error", message: "broken" }],
    ["throw with a kind", () => Promise.reject(Object.assign(new Error("slow"), { kind: "rate_limit" })), f.int, { kind: "rate_limit" }],
    ["reject with a text", () => Promise.reject("odd"), f.int, { kind: "tool_error", message: "odd" }],
    ["reject with nothing", () => Promise.reject(undefined), f.int, { message: "`undefined` was thrown instead of an error" }],
    [
      "give the wrong shape",
      () => "7",
      f.int,
      { kind: "invalid_output", message: 't gave something else than it declares: expected int, found "7"' },
    ],
    ["give an object of a class", () => new Date(0), f.record({ a: f.int }), { kind: "invalid_output" }],
  ])("that %s fail in one sentence", async (_, run, result, wanted) => {
    const graph = f.graph({
      tools: [f.tool("t", { result })],
      flows: [f.flow("main", [], f.body([f.call("c", "t", { x: f.k(1) })], f.r("c")))],
    });
    expect((await f.finish(graph, { tools: { t: run as () => unknown } })).result.failure).toMatchObject({ path: "main/t", ...wanted });
  });

  it("cannot change what other calls see", async () => {
    const graph = f.graph({
      tools: [f.tool("t"), f.tool("u")],
      flows: [
        f.flow(
          "main",
          [f.param("xs")],
          f.body([f.call("a", "t", { x: f.r("xs") }), f.call("b", "u", { x: f.r("xs") }, { after: ["a"] })], f.r("b")),
        ),
      ],
    });
    const sorts = ({ x }: Readonly<Record<string, unknown>>) => (x as number[]).sort();
    expect((await f.finish(graph, { inputs: { xs: [3, 1] }, tools: { t: sorts, u: ({ x }) => x } })).result.value).toEqual([3, 1]);
  });
});

describe("std/fs", () => {
  it("lists, reads, searches and writes inside the project", async () => {
    await mkdir(join(directory, "src/node_modules"), { recursive: true });
    await std("fs", "write_text", { path: "src/deep/a.ts", text: "one\ntwo" });
    await std("fs", "append_text", { path: "src/b.ts", text: "two\n" });
    await writeFile(join(directory, "src/node_modules/c.ts"), "two");
    expect(await std("fs", "glob", { dir: "src", pattern: "**/*.ts" })).toEqual(["src/b.ts", "src/deep/a.ts"]);
    expect(await std("fs", "grep", { dir: ".", pattern: "src/**/*.ts", text: "two" })).toEqual([
      { path: "src/b.ts", line: 1, text: "two" },
      { path: "src/deep/a.ts", line: 2, text: "two" },
    ]);
    expect(await std("fs", "list_dir", { path: "src" })).toEqual(["b.ts", "deep/", "node_modules/"]);
    expect(await std("fs", "stat", { path: "src/b.ts" })).toMatchObject({ size: 4, is_dir: false });
    expect(await std("fs", "stat", { path: "src/none" })).toBe(null);
    await std("fs", "remove", { path: "src/deep" });
    expect(await std("fs", "stat", { path: "src/deep" })).toBe(null);
  });

  it("refuses what is outside, links included, unless it is allowed", async () => {
    const outside = await mkdtemp(join(tmpdir(), "weave-outside-"));
    await writeFile(join(outside, "secret.txt"), "s");
    await symlink(outside, join(directory, "link"));
    for (const path of ["../x", join(outside, "secret.txt"), "link/secret.txt", "src/../../x"]) {
      await expect(std("fs", "read_text", { path }), path).rejects.toMatchObject({ kind: "denied" });
    }
    await expect(std("fs", "glob", { dir: ".", pattern: "../*" })).rejects.toMatchObject({ kind: "tool_error" });
    expect(await std("fs", "read_text", { path: join(outside, "secret.txt") }, [outside])).toBe("s");
  });

  it("says what is wrong with a path, and refuses to read bytes as text", async () => {
    await expect(std("fs", "read_text", { path: "none.txt" })).rejects.toMatchObject({
      message: "none.txt: there is no such file or folder",
      committed: "no",
    });
    await writeFile(join(directory, "bytes.bin"), Buffer.from([0xff, 0xfe, 0x00]));
    await expect(std("fs", "read_text", { path: "bytes.bin" })).rejects.toMatchObject({ message: "bytes.bin is not a text in UTF-8" });
  });
});

const exec = (argv: readonly string[], parse: "text" | "json" | "lines" = "text", more: object = {}) =>
  host().exec({ argv, cwd: undefined, input: undefined, env: {}, parse, ...more }, context());
const node = process.execPath;

describe("programs", () => {
  it("get their arguments as they are, never through a shell, and a small environment", async () => {
    expect(await exec([node, "-p", "process.argv[1]", "a; echo $HOME `x`"])).toBe("a; echo $HOME `x`");
    process.env["WEAVE_TEST_SECRET"] = "s";
    expect(await exec([node, "-p", "[process.env.WEAVE_TEST_SECRET ?? 'none', process.env.A].join()"], "text", { env: { A: "1" } })).toBe(
      "none,1",
    );
    expect(await exec([node, "-e", "process.stdin.pipe(process.stdout)"], "lines", { input: "a\nb\n" })).toEqual(["a", "b"]);
    expect(await exec([node, "-p", "JSON.stringify({ a: 1 })"], "json")).toEqual({ a: 1 });
  });

  it("fail with their code and last words", async () => {
    await expect(exec([node, "-e", "console.error('no way'); process.exit(3)"])).rejects.toMatchObject({
      kind: "tool_error",
      message: `${node} ended with code 3: no way`,
    });
    await expect(exec(["no-such-program"])).rejects.toMatchObject({ committed: "no" });
    await expect(exec([node, "-p", "1+"], "json")).rejects.toMatchObject({ kind: "tool_error" });
    await expect(exec([node, "-p", "'x y'"], "json")).rejects.toMatchObject({ kind: "invalid_output" });
  });

  it("are ended with everything they started when the call is aborted", async () => {
    const controller = new AbortController();
    const marker = join(directory, "alive.txt");
    const child = `setInterval(() => require("fs").appendFileSync(${JSON.stringify(marker)}, "x"), 20)`;
    const parent = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]); setInterval(() => {}, 1000)`;
    const running = host().exec(
      { argv: [node, "-e", parent], cwd: undefined, input: undefined, env: {}, parse: "text" },
      context(controller.signal),
    );
    const size = async (): Promise<number> => (await readFile(marker, "utf8").catch(() => "")).length;
    await expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(0);
    controller.abort();
    await expect(running).rejects.toMatchObject({ kind: "cancelled" });
    const before = await size();
    await expect(exec([node, "-e", "setTimeout(() => {}, 200)"])).resolves.toBe("");
    expect(await size()).toBe(before);
  });
});

describe("web requests", () => {
  let server: Server;
  let base = "";
  const seen: IncomingMessage[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push(request);
      const url = new URL(request.url ?? "/", "http://x");
      const status = Number(url.searchParams.get("status") ?? 200);
      response.statusCode = status;
      if (status === 429) response.setHeader("retry-after", "7");
      if (url.pathname === "/text") response.end("plain");
      else {
        let body = "";
        request.on("data", (part: Buffer) => {
          body += part.toString();
        });
        request.on("end", () => response.end(JSON.stringify({ path: request.url, method: request.method, body, items: [{ n: 1 }] })));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  });
  afterAll(() => void server.close());

  async function http(binding: Partial<Extract<BindingIR, { kind: "http" }>>, result: TypeIR, x: unknown) {
    const url = {
      kind: "template",
      parts: [
        { kind: "value", value: f.k(base), as: "plain" },
        { kind: "text", text: "/a/" },
        { kind: "value", value: f.r("x"), as: "plain" },
      ],
    } as const;
    const graph = f.graph({
      tools: [f.tool("t", { result, binding: { kind: "http", method: "get", url, ...binding } })],
      flows: [f.flow("main", [], f.body([f.call("c", "t", { x: f.k(x) })], f.r("c")))],
    });
    return (await f.finish(graph, { options: { tools: host() }, clock: f.realClock() })).result;
  }

  it("encode every value but the base, send queries, headers and bodies, and cut to the declared type", async () => {
    const result = await http(
      { query: f.recordOf({ q: f.k("a&b"), none: f.k(null), l: f.listOf(f.k(1), f.k(2)) }), headers: f.recordOf({ "X-A": f.k("1") }) },
      f.record({ path: f.text }),
      "b/c?d",
    );
    expect(result.value).toEqual({ path: "/a/b%2Fc%3Fd?q=a%26b&l=1&l=2" });
    expect(seen.at(-1)?.headers["x-a"]).toBe("1");
    const posted = await http({ method: "post", body: f.recordOf({ a: f.k(1) }) }, f.record({ method: f.text, body: f.text }), "x");
    expect(posted.value).toEqual({ method: "POST", body: '{"a":1}' });
    expect((await http({ pick: "items[0].n" }, f.int, "x")).value).toBe(1);
  });

  it.each([
    [401, "auth"],
    [404, "tool_error"],
    [429, "rate_limit"],
    [503, "overloaded"],
    [500, "unavailable"],
  ])("of status %i fail as %s", async (status, kind) => {
    const result = await http({ query: f.recordOf({ status: f.k(status) }) }, f.json, "x");
    expect(result.failure?.kind).toBe(kind);
    if (status === 429) expect(result.failure?.retryAfterMs).toBe(7000);
  });

  it("fail clearly where nobody answers or an address is none", async () => {
    await expect(std("http", "get", { url: "http://127.0.0.1:1/" })).rejects.toMatchObject({ kind: "unavailable" });
    await expect(std("http", "get", { url: "file:///etc/passwd" })).rejects.toMatchObject({ kind: "tool_error" });
    await expect(std("http", "get_json", { url: `${base}/text` })).rejects.toMatchObject({ kind: "invalid_output" });
    expect(await std("http", "get", { url: `${base}/text?status=404` })).toEqual({ status: 404, body: "plain" });
  });
});
