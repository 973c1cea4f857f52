/** Whatever is given as a program, an option, an input or a tool: a sentence, an exit code, no stack, nothing half-written. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Ended, project, weave } from "../support/cli.js";

const STACK = /\n\s+at |node:internal|file:\/\//;

/** Holds for every answer to bad input. */
function told(ended: Ended, code: number): void {
  expect(ended.err).not.toMatch(STACK);
  expect(ended.err.trim()).not.toBe("");
  expect([ended.code, ended.err]).toEqual([code, ended.err]);
}

const deep = (open: string, inside: string, close: string): string => open.repeat(10_000) + inside + close.repeat(10_000);

describe("a source file", () => {
  const files: Readonly<Record<string, readonly [source: string | Buffer, code: number, message: string]>> = {
    "of random bytes": [Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3)) % 256)), 2, "not UTF-8"],
    "in UTF-16": [Buffer.from("\ufeffflow main() -> int { 1 }\n", "utf16le"), 2, "not UTF-8"],
    "with a zero byte": ["flow main() -> int { 1 }\0\n", 3, "U+0000"],
    "of 10 MB": ["flow f(a: int) -> int { a + 1 }\n".repeat(330_000), 3, "too large"],
    "of 10 MB in one line": ["let x = ) } flow ".repeat(620_000), 3, "W0124"],
    "with 10,000 parentheses": [`flow main() -> int { ${deep("(", "1", ")")} }\n`, 3, "nested too deeply"],
    "with 10,000 records": [`flow main() -> json { ${deep("{ a: ", "1", " }")} }\n`, 3, "nested too deeply"],
    "with 10,000 blocks": [`flow main() -> json { ${deep("if true { ", "1", " }")} }\n`, 3, "nested too deeply"],
    "with 10,000 types": [`type T = ${deep("{ a: ", "int", " }")}\n`, 3, "nested too deeply"],
    "with 10,000 blocks of a template": [`flow main() -> string { "${deep("{{#if true}}", "", "{{/if}}")}" }\n`, 3, "nested too deeply"],
    "with 10,000 operators": [`flow main() -> int { ${"1 + ".repeat(10_000)}1 }\n`, 3, "operators"],
    "of opened brackets": ["flow main( { [ (".repeat(1000), 3, "error[W01"],
  };

  test.each(Object.entries(files))("%s is told", async (_, [source, code, message]) => {
    const ended = await weave(["check", "a.weave"], { cwd: project({ "a.weave": source }) });
    told(ended, code);
    expect(ended.err).toContain(message);
  });

  test("that is not there is told by every command", async () => {
    const cwd = project({ "flow.weave": "flow main() -> int { 1 }\n" });
    for (const args of [["check"], ["run"], ["plan"], ["graph"], ["test"], ["fmt"], ["dump", "ast"], ["models"]]) {
      const ended = await weave([...args, "flw.weave"], { cwd });
      told(ended, 2);
      expect(ended.err, args[0]).toContain("flow.weave");
    }
  });
});

describe("nothing is left half-written", () => {
  test("by a format, a drawing or a report that cannot be written", async () => {
    const cwd = project({ "a.weave": "flow  main()->int{1}\n", "bad.weave": "flow main( {\n" });
    told(await weave(["fmt", "bad.weave"], { cwd }), 3);
    told(await weave(["graph", "a.weave", "-f", "svg", "-o", "none/a.svg"], { cwd }), 1);
    told(await weave(["graph", "bad.weave", "-o", "bad.mmd"], { cwd }), 3);
    told(await weave(["test", "a.weave", "--junit", "none/a.xml"], { cwd }), 1);
    told(await weave(["init", "a.weave"], { cwd }), 1);
    expect(readdirSync(cwd).sort()).toEqual(["a.weave", "bad.weave"]);
    expect(readFileSync(join(cwd, "bad.weave"), "utf8")).toBe("flow main( {\n");
  });
});

describe("options", () => {
  const commands: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [["run", "a.weave", "--bogus", "1"], /no parameter `bogus`/],
    [["run", "a.weave", "--n", "many"], /The input `n` does not fit/],
    [["run", "a.weave", "--n", "1", "--sim-faults", "often"], /--sim-faults is written kind:share/],
    [["run", "a.weave", "--n", "1", "--sim-faults", "boredom:5%"], /--sim-faults is written kind:share/],
    [["run", "a.weave", "--n", "1", "--model", "x=y"], /name=provider\/model/],
    [["run", "a.weave", "none", "--n", "1"], /`main`/],
    [["run", "a.weave", "--n"], /The input `n` does not fit/],
    [["test", "a.weave", "--filter"], /argument missing/],
    [["check", "--watsch"], /Did you mean --watch/],
    [["explain", "W9999"], /no diagnostic W9999/],
  ];

  test.each(commands)("%j", async (args, message) => {
    const ended = await weave(args, { cwd: project({ "a.weave": "flow main(n: int) -> int { n }\n" }) });
    told(ended, 2);
    expect(ended.err).toMatch(message);
  });
});

describe("a tool module", () => {
  const PROGRAM = `tool bad(n: int) -> json = module("./bad.ts")
@timeout(200ms) tool slow(n: int) -> json = module("./bad.ts")
flow main() -> json { bad(1) }
flow other() -> json { slow(1) }
`;
  const run = (source: string, flow = "main"): Promise<Ended> =>
    weave(["run", "a.weave", flow], { cwd: project({ "a.weave": PROGRAM, "bad.ts": `export const slow = () => 1;\n${source}` }) });

  const cases: Readonly<Record<string, readonly [source: string, code: number, message: RegExp]>> = {
    "that throws while it loads": ["throw new Error('at load'); export const bad = 1;", 3, /Loading bad\.ts failed: at load/],
    "whose export is no function": ["export const bad = 1;", 3, /exports `bad`, but it is not a function/],
    "that throws": ["export function bad() { throw new Error('boom'); }", 1, /tool_error in main\/bad: boom/],
    "that rejects with a non-error": ["export async function bad() { throw { no: 'error' }; }", 1, /was thrown instead of an error/],
    "that names its kind": [
      "export function bad() { throw Object.assign(new Error('later'), { kind: 'rate_limit' }); }",
      1,
      /rate_limit in main/,
    ],
    "that returns a getter that throws": [
      "export const bad = () => ({ get x() { throw new Error('no'); } });",
      1,
      /invalid_output in main\/bad: .*no data/,
    ],
    "that returns what holds itself": ["export const bad = () => { const a: any = {}; a.a = a; return a; };", 1, /nested without end/],
    "that returns a function": ["export const bad = () => [() => 1];", 1, /invalid_output in main\/bad/],
    "that returns a number too large for JSON": ["export const bad = () => 10n;", 1, /invalid_output in main\/bad/],
    "that throws in a timer": [
      "export const bad = ({}, { signal }: any) => new Promise((_, fail) => { setTimeout(() => { throw new Error('late'); }, 1); signal.addEventListener('abort', fail); });",
      1,
      /late; it belongs to no call, so the run is stopped/,
    ],
    "that leaves a rejection behind": [
      "export const bad = ({}, { signal }: any) => { void Promise.reject(new Error('lost')); return new Promise((_, fail) => signal.addEventListener('abort', fail)); };",
      1,
      /lost; it belongs to no call, so the run is stopped/,
    ],
    "that ends the process": ["export const bad = () => process.exit(0);", 1, /ended the process before the command was done/],
  };

  test.each(Object.entries(cases))("%s is told", async (_, [source, code, message]) => {
    const ended = await run(source);
    told(ended, code);
    expect(ended.err).toMatch(message);
    expect(ended.out).toBe("");
  });

  test("that hangs ends by its timeout", async () => {
    const cwd = project({ "a.weave": PROGRAM, "bad.ts": "export const bad = () => 1; export const slow = () => new Promise(() => {});" });
    const ended = await weave(["run", "a.weave", "other"], { cwd });
    told(ended, 1);
    expect(ended.err).toContain("timeout in other/slow: no answer within 200ms");
    expect(existsSync(join(cwd, "core"))).toBe(false);
  });
});
