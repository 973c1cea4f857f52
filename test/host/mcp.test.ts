/** MCP servers as real programs and over HTTP: results by type, one connection for a run, death, cancellation, nothing left behind. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, RunError, type RunEvent, run } from "../../src/index.js";

const require = createRequire(import.meta.url);
const entry = (name: string): string => join(dirname(require.resolve(`${name}/package.json`)), "dist", "index.js");
const everything = [process.execPath, entry("@modelcontextprotocol/server-everything"), "stdio"];
const filesystem = entry("@modelcontextprotocol/server-filesystem");
const faulty = join(import.meta.dirname, "..", "support", "mcp-server.mjs");

const folder = (): string => mkdtempSync(join(tmpdir(), "weave-mcp-"));
const list = (values: readonly string[]): string => JSON.stringify(values);

interface Ran {
  readonly value: unknown;
  readonly events: readonly RunEvent[];
}
async function runs(source: string, inputs: Readonly<Record<string, unknown>> = {}, more: Parameters<typeof run>[2] = {}): Promise<Ran> {
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const events: RunEvent[] = [];
  const handle = run(program.flow("main"), inputs, { ...more, onEvent: (event) => events.push(event) });
  return { value: (await handle.result).value, events };
}
const failing = (source: string, more: Parameters<typeof run>[2] = {}): Promise<RunError> =>
  runs(source, {}, more).then(
    ({ value }) => Promise.reject(new Error(`it completed with ${JSON.stringify(value)}`)),
    (error: RunError) => (error instanceof RunError ? error : Promise.reject(error)),
  );

/** Whether a process is still there. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
const linesOf = (log: string): readonly string[] => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
const starts = (log: string): readonly number[] =>
  linesOf(log).flatMap((line) => (line.startsWith("start ") ? [Number(line.split(" ")[1])] : []));

describe("the reference server", () => {
  test("gives text, structured content, images and progress", async () => {
    const { value, events } = await runs(`
mcp reference { command: ${list(everything)} }
type Weather = { temperature: float, conditions: string, humidity: float }
tool echo(message: string) -> string = mcp(reference, "echo")
tool weather(location: string) -> Weather = mcp(reference, "get-structured-content")
tool image() -> image = mcp(reference, "get-tiny-image")
tool long(duration: float, steps: int) -> string = mcp(reference, "trigger-long-running-operation")
tool add(a: float, b: float) -> string = mcp(reference, "get-sum")
flow main() -> { said: string, sky: string, sums: string[], done: string, picture: image } {
  let w = weather("Chicago")
  { said: echo("hi"), sky: w.conditions, sums: map n in [1, 2, 3] { add(n, n) }, done: long(0.4, 2), picture: image() }
}`);
    expect(value).toMatchObject({
      said: "Echo: hi",
      sky: "Light rain / drizzle",
      sums: ["The sum of 1 and 1 is 2.", "The sum of 2 and 2 is 4.", "The sum of 3 and 3 is 6."],
      done: "Long running operation completed. Duration: 0.4 seconds, Steps: 2.",
      picture: { media_type: "image/png", data: expect.stringMatching(/^iVBOR/) as unknown },
    });
    const told = events.flatMap((event) => (event.kind === "tool.log" ? [event.message] : []));
    // The SDK may drop one that comes together with the answer.
    expect(told[0]).toBe("trigger-long-running-operation: 1 of 2");
  });

  test("answers over HTTP, with headers, and says where nobody does", async () => {
    const port = await freePort();
    const server = spawn(process.execPath, [entry("@modelcontextprotocol/server-everything"), "streamableHttp"], {
      env: { ...process.env, PORT: String(port) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      await new Promise<void>((resolve) => server.stderr.on("data", (part: Buffer) => /listening/i.test(part.toString()) && resolve()));
      const source = (at: number) => `
let TOKEN = secret("TOKEN")
mcp reference { url: "http://127.0.0.1:${at}/mcp", headers: { Authorization: TOKEN, "X-Team": "weavers" } }
tool echo(message: string) -> string = mcp(reference, "echo")
flow main() -> string[] { map m in ["a", "b"] { echo(m) } }`;
      const environment = { TOKEN: "Bearer t0ken-of-this-test" };
      expect((await runs(source(port), {}, { environment })).value).toEqual(["Echo: a", "Echo: b"]);
      const failed = await failing(source(await freePort()), { environment });
      expect(failed.failure).toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining("the MCP server reference cannot be used") as unknown,
      });
      expect(JSON.stringify(failed.failure)).not.toContain("t0ken");
    } finally {
      server.kill("SIGKILL");
    }
  });
});

/** The reference server by the transport of before streamable HTTP. */
async function oldServer(): Promise<{
  readonly port: number;
  readonly kill: () => void;
  readonly messages: (count: number) => Promise<void>;
}> {
  const port = await freePort();
  const server = spawn(process.execPath, [entry("@modelcontextprotocol/server-everything"), "sse"], {
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  await new Promise<void>((resolve) => server.stderr.on("data", (part: Buffer) => /running|listening/i.test(part.toString()) && resolve()));
  const messages = (count: number): Promise<void> =>
    new Promise((resolve) => {
      let seen = 0;
      server.stderr.on("data", (part: Buffer) => {
        seen += part.toString().split("Client Message from").length - 1;
        if (seen >= count) resolve();
      });
    });
  return { port, kill: () => server.kill("SIGKILL"), messages };
}

describe("a server of before streamable HTTP", () => {
  const source = (port: number): string => `
mcp reference { url: "http://127.0.0.1:${port}/sse" }
tool echo(message: string) -> string = mcp(reference, "echo")
tool long(duration: float, steps: int) -> string = mcp(reference, "trigger-long-running-operation")
flow main(slow: bool = false) -> string { if slow { long(60.0, 2) } else { echo("a") } }`;

  test("is asked over server-sent events", async () => {
    const { port, kill } = await oldServer();
    try {
      expect((await runs(source(port))).value).toBe("Echo: a");
    } finally {
      kill();
    }
  });

  test("that goes away ends the calls that are open, with what is not known", async () => {
    const { port, kill, messages } = await oldServer();
    // Two begin the session, the third is the call.
    void messages(3).then(kill);
    await expect(runs(source(port), { slow: true })).rejects.toMatchObject({ failure: { kind: "unavailable" } });
  });
});

describe("a server that wants a token", () => {
  const refusing = async (
    challenge: string | undefined,
  ): Promise<{ readonly port: number; readonly seen: (string | undefined)[]; readonly close: () => void }> => {
    const seen: (string | undefined)[] = [];
    const server = createHttpServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, challenge === undefined ? {} : { "www-authenticate": challenge }).end("who are you?");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: (server.address() as { port: number }).port, seen, close: () => server.close() };
  };
  const source = (port: number, headers: string): string => `
let TOKEN = secret("TOKEN")
mcp closed { url: "http://127.0.0.1:${port}/mcp"${headers} }
tool echo(message: string) -> string = mcp(closed, "echo")
flow main() -> string { echo("a") }`;
  const environment = { TOKEN: "t0ken-of-this-test" };

  test("says how it is given one", async () => {
    const server = await refusing(undefined);
    const failed = await failing(source(server.port, ""), { environment });
    expect(failed.failure).toMatchObject({
      kind: "auth",
      message:
        'the MCP server closed cannot be used: it wants a token (401): give it one with `headers: { Authorization: "Bearer {{TOKEN}}" }` and `let TOKEN = secret("NAME")`',
    });
    server.close();
  });

  test("with another one, or by OAuth, says so and not what the token is", async () => {
    const server = await refusing('Bearer resource_metadata="http://127.0.0.1/.well-known/oauth-protected-resource"');
    const failed = await failing(source(server.port, ', headers: { Authorization: "Bearer {{TOKEN}}" }'), { environment });
    expect(server.seen).toEqual(["Bearer t0ken-of-this-test"]);
    expect(failed.failure?.message).toBe(
      "the MCP server closed cannot be used: it does not take the token in `Authorization` (401). It signs people in with OAuth, which Weave does not: make a token where the server is run, or with a tool that signs in",
    );
    server.close();
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

test("the file server reads and writes, and its refusals are failures", async () => {
  const directory = folder();
  writeFileSync(join(directory, "a.txt"), "wool");
  const source = `
mcp files { command: ${list([process.execPath, filesystem, directory])} }
@reads
tool read(path: string) -> string = mcp(files, "read_text_file")
@reads
tool info(path: string) -> json = mcp(files, "get_file_info")
effect tool write(path: string, content: string) -> null = mcp(files, "write_file")
flow main(dir: string) -> string {
  let wool = read("{{dir}}/a.txt")
  write("{{dir}}/b.txt", "{{wool}}!")
  read("{{dir}}/b.txt")
}
flow outside() -> string { read("/etc/passwd") }`;
  expect((await runs(source, { dir: directory })).value).toBe("wool!");
  expect(readFileSync(join(directory, "b.txt"), "utf8")).toBe("wool!");
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const refused = run(program.flow("outside")).result;
  await expect(refused).rejects.toMatchObject({
    failure: { kind: "tool_error", message: expect.stringMatching(/^read_text_file of the MCP server files: .*denied/i) as unknown },
  });
});

describe("a server with faults", () => {
  let directory = "";
  let log = "";
  beforeAll(() => {
    directory = folder();
  });
  const server = (name: string): string => {
    log = join(directory, `${name}.log`);
    return `let TOKEN = secret("TOKEN")
mcp s { command: ${list([process.execPath, faulty, log])}, env: { TOKEN: TOKEN } }
type N = { n: int }
tool echo(value: json, other: string? = null) -> json = mcp(s, "echo")
tool words() -> string[] = mcp(s, "words")
tool one() -> string = mcp(s, "words")
tool structured() -> N = mcp(s, "structured")
tool wrong() -> N = mcp(s, "wrong")
tool refuse() -> string = mcp(s, "refuse")
tool die() -> string = mcp(s, "die")
effect tool die_effect() -> string = mcp(s, "die")
@timeout(300ms)
tool hang() -> string = mcp(s, "hang")
tool picture() -> string = mcp(s, "picture")
tool missing() -> string = mcp(s, "not-there")
`;
  };
  const environment = { TOKEN: "wool-and-linen-4711" };

  test("is started once for a run, and gone with it", async () => {
    const { value } = await runs(
      `${server("once")}flow main() -> json { fork { a: echo({ deep: [1, null], none: null }), b: words(), c: one(), d: structured(), e: map i in range(20) { echo(i) } } }`,
      {},
      { environment },
    );
    expect(value).toEqual({ a: { deep: [1, null] }, b: ["a", "b"], c: "a\nb", d: { n: 1 }, e: Array.from({ length: 20 }, (_, i) => i) });
    expect(starts(log)).toHaveLength(1);
    expect(starts(log).some(lives)).toBe(false);
    expect(linesOf(log)).toContain('call echo {"value":3}');
  });

  test("is started again after it died, and its last words are told without its secrets", async () => {
    const { value } = await runs(
      `${server("died")}flow main() -> json { try { die() } recover err { [err.kind, err.message, echo(1)] } }`,
      {},
      { environment },
    );
    const [kind, message, one] = value as [string, string, number];
    expect([kind, one]).toEqual(["unavailable", 1]);
    expect(message).toContain("the MCP server s went away: its program ended with code 3\npanic: out of wool");
    expect(message).not.toContain(environment.TOKEN);
    expect(starts(log)).toHaveLength(2);
    expect(starts(log).some(lives)).toBe(false);
  });

  test.each([
    ["wrong", "invalid_output", /wrong gave something else than it declares/],
    ["refuse", "tool_error", /^refuse of the MCP server s: no: token \[redacted\]$/],
    ["picture", "invalid_output", /^picture of the MCP server s gave image, where string is declared$/],
    ["missing", "tool_error", /^not-there of the MCP server s: /],
    ["hang", "timeout", /no answer within 300ms/],
  ])("fails in its own way: %s", async (name, kind, message) => {
    const failed = await failing(`${server(name)}flow main() -> json { if echo(1) == 1 { ${name}() } else { null } }`, { environment });
    expect(failed.failure).toMatchObject({ kind });
    expect(failed.failure?.message).toMatch(message);
    expect(starts(log).some(lives)).toBe(false);
    if (name === "hang") expect(linesOf(log)).toContain("aborted hang");
  });

  test("leaves open whether an effect took place when it died", async () => {
    const failed = await failing(`${server("effect")}flow main() -> json { die_effect() }`, { environment });
    expect(failed.failure).toMatchObject({ kind: "unavailable", committed: "unknown" });
  });

  test("ends with a run that is cancelled", async () => {
    const source = `${server("cancelled").replace("@timeout(300ms)\n", "")}flow main() -> json { hang() }`;
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    const handle = run(program.flow("main"), {}, { environment });
    await expect.poll(() => linesOf(log).some((line) => line.startsWith("call hang")), { timeout: 20_000 }).toBe(true);
    handle.cancel();
    await expect(handle.result).rejects.toMatchObject({ status: "cancelled" });
    expect(starts(log).some(lives)).toBe(false);
  });

  test.each([
    [["no-such-program-here"], /there is no program no-such-program-here/],
    [[process.execPath, "-e", "console.error('no config'); process.exit(2)"], /its program ended with code 2\nno config/],
  ])("that does not start says why: %j", async (command, message) => {
    const failed = await failing(`mcp s { command: ${list(command)} }\ntool t() -> string = mcp(s, "t")\nflow main() -> string { t() }`);
    expect(failed.failure).toMatchObject({ kind: "unavailable", committed: "no" });
    expect(failed.failure?.message).toMatch(message);
  });

  test("keeps to its rate", async () => {
    const source = `${server("rate").replace("mcp s", "@rate(2/s)\nmcp s")}flow main() -> json { map i in range(3) { echo(i) } }`;
    const { events } = await runs(source, {}, { environment });
    expect(events.filter((event) => event.kind === "call.queued" && event.for === "rate")).toHaveLength(1);
  });
});
