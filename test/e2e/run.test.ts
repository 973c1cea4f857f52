/** `weave run` as a process: inputs, outputs, exit codes, signals. */
import { describe, expect, test } from "vitest";
import { project, start, weave } from "../support/cli.js";

const ECHO = `type Point = { x: int, y: int? }
flow main(n: int(1..5), name: string = "you", tags: string[] = [], at: Point = { x: 0, y: null }, wait: duration = 0s, loud: bool = false) -> json {
  { n, name, tags, at, wait, loud } as json
}
`;

async function run(args: readonly string[], input?: string) {
  const cwd = project({ "a.weave": ECHO, "in.json": '{ "n": 3, "name": "file" }' });
  const ended = await weave(["run", "a.weave", ...args], { cwd, ...(input === undefined ? {} : { input }) });
  return { ...ended, value: ended.code === 0 ? JSON.parse(ended.out) : undefined };
}

describe("inputs", () => {
  test("are options named like the parameters", async () => {
    const { value } = await run(["--n", "2", "--name=me", "--tags", "a", "--tags", "b", "--at", '{"x":1}', "--wait", "1m", "--loud"]);
    expect(value).toEqual({ n: 2, name: "me", tags: ["a", "b"], at: { x: 1, y: null }, wait: 60_000, loud: true });
  });

  test("come from a file or standard input, and options win", async () => {
    expect((await run(["--input", "in.json"])).value).toMatchObject({ n: 3, name: "file" });
    expect((await run(["--input", "-", "--n", "4"], '{ "n": 1, "tags": ["x"] }')).value).toMatchObject({ n: 4, tags: ["x"] });
  });

  test("that are wrong are shown at the declaration of their parameter", async () => {
    const { code, out, err } = await run(["--n", "9"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("error[W0957]: The input `n` does not fit its type");
    expect(err).toContain("a.weave:2:11");
    expect(err).toContain("given `9`");
    expect(await run(["--n", "x"])).toMatchObject({ code: 2, err: expect.stringContaining("given `x`") });
    expect(await run(["--n", "1", "--at", "{"])).toMatchObject({ code: 2, err: expect.stringContaining("W0957") });
    expect((await run(["--n", "1", "--at", "@a.weave"])).err).toContain("What stands in a file is given by `--input`");
  });

  test("that are missing or unknown are named, all at once", async () => {
    const { code, err } = await run(["--nmae", "me"]);
    expect(code).toBe(2);
    expect(err).toContain("error[W0956]: The input `n` is missing");
    expect(err).toContain("Did you mean `--name`?");
  });

  test("that are no JSON are refused", async () => {
    expect(await run(["--input", "-"], "[1]")).toMatchObject({ code: 2, err: expect.stringContaining("This is a list") });
    expect(await run(["--input", "-"], "{")).toMatchObject({ code: 2, err: expect.stringContaining("W0959") });
    expect(await run(["--input", "none.json"])).toMatchObject({ code: 2, err: expect.stringContaining("no such file") });
    // What may stand in it is not told to be missing.
    expect((await run(["--input", "-"], "{")).err).not.toContain("W0956");
  });
});

describe("results", () => {
  const text = { "a.weave": 'flow main() -> string { "hello" }\n' };

  test("go to standard output, everything else to standard error", async () => {
    const { code, out, err } = await weave(["run", "a.weave"], { cwd: project(text) });
    expect([code, out]).toEqual([0, "hello\n"]);
    expect(err).toContain("completed");
  });

  test("are one object with --json", async () => {
    const { code, out } = await weave(["run", "a.weave", "--json"], { cwd: project(text) });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      status: "completed",
      value: "hello",
      failure: null,
      simulated: false,
      spend: { cost_usd: 0, calls: 0 },
    });
  });

  test("are events with --events", async () => {
    const { code, out } = await weave(["run", "a.weave", "--events"], { cwd: project(text) });
    expect(code).toBe(0);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.at(0).event.kind).toBe("run.started");
    expect(events.at(-1).event.kind).toBe("run.completed");
  });

  test("of a failed run say why, and end with 1", async () => {
    const cwd = project({ "a.weave": 'flow main(n: int) -> int {\n  assert n > 3, "too small: {{n}}"\n  n\n}\n' });
    const { code, out, err } = await weave(["run", "a.weave", "--n", "1"], { cwd });
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain("too small: 1");
    expect(err).not.toMatch(/\n\s+at /);
    const json = await weave(["run", "a.weave", "--n", "1", "--json"], { cwd });
    expect(JSON.parse(json.out)).toMatchObject({ status: "failed", failure: { kind: "assertion", message: "too small: 1" } });
  });

  test("of a program with mistakes are its mistakes", async () => {
    expect(await weave(["run", "a.weave"], { cwd: project({ "a.weave": "flow main() -> int { x }\n" }) })).toMatchObject({
      code: 3,
      out: "",
    });
  });
});

const SLOW = {
  "a.weave": 'tool wait(n: int) -> int = module("./wait.ts")\nflow main() -> int[] {\n  map n in range(3) { wait(n) }\n}\n',
  "wait.ts":
    "export function wait({ n }: { n: number }, { signal, log }: { signal: AbortSignal; log: (text: string) => void }) {\n  log(`waiting ${n}`);\n  return new Promise((_, fail) => {\n    const timer = setTimeout(() => {}, 1e8);\n    signal.addEventListener('abort', () => { clearTimeout(timer); fail(new Error('stopped')); });\n  });\n}\n",
};

describe("a run that is interrupted", () => {
  test("stops what runs, says how it goes on and ends with 130", async () => {
    const run = start(["run", "a.weave"], { cwd: project(SLOW) });
    await run.said("waiting 2");
    run.signal("SIGINT");
    const { code, out, err } = await run.ended;
    expect([code, out]).toEqual([130, ""]);
    expect(err).toContain("weave resume");
  });

  test("by its reader going away ends quietly", async () => {
    const run = start(["run", "a.weave", "--events"], { cwd: project(SLOW) });
    run.stopReading();
    await run.said("");
    const { err } = await run.ended;
    expect(err).not.toMatch(/EPIPE|\n\s+at /);
  });
});

describe("tools that misbehave", () => {
  const program = 'tool bad(n: int) -> int = module("./bad.ts")\nflow main() -> int { bad(1) }\n';
  const cases: Readonly<Record<string, readonly [source: string, code: number, expected: RegExp]>> = {
    "do not load": ["export const = 1", 3, /bad\.ts/],
    "are not there": ["export function other() {}", 3, /does not export `bad`\. It exports other/],
    throw: ["export function bad() { throw new Error('boom'); }", 1, /tool_error in main\/bad: boom/],
    "reject with something that is no error": ["export async function bad() { throw 'just text'; }", 1, /just text/],
    "reject with nothing": ["export async function bad() { throw undefined; }", 1, /tool_error in main\/bad/],
    "return the wrong shape": ["export function bad() { return { x: 'no' }; }", 1, /invalid_output in main\/bad: .*expected int/],
    "return what is no data": ["export function bad() { return () => 1; }", 1, /invalid_output in main\/bad: .*expected int/],
  };

  test.each(Object.entries(cases))("that %s are told in a sentence", async (_, [source, expected, message]) => {
    const { code, out, err } = await weave(["run", "a.weave"], { cwd: project({ "a.weave": program, "bad.ts": source }) });
    expect([code, out]).toEqual([expected, ""]);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
  });

  test("that have no file are told before anything runs", async () => {
    const { code, err } = await weave(["run", "a.weave"], { cwd: project({ "a.weave": program }) });
    expect(code).toBe(3);
    expect(err).toContain("There is no file bad.ts");
  });
});
