/** The real command line: what it prints where, and the code it ends with. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, root, start, weave } from "../support/cli.js";

const FLOW = `flow main(a: int(1..5), name: string = "you") -> string {
  "{{a}} {{name}}"
}
`;

describe("weave", () => {
  test("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(await weave(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
    expect((await weave(["-V"])).out).toBe(`${version}\n`);
  });

  test("without a command says what there is, and that this was not enough", async () => {
    const { code, out, err } = await weave([]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: weave");
  });

  test("names the command or option that was meant", async () => {
    expect(await weave(["chek"])).toEqual({ code: 2, out: "", err: "error: unknown command 'chek'\n(Did you mean check?)\n" });
    expect(await weave(["check", "--jsn"])).toMatchObject({ code: 2, err: expect.stringContaining("(Did you mean --json?)") });
    expect(await weave(["graph", "a.weave", "--format", "png"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("mermaid, dot, svg, json"),
    });
    expect(await weave(["run", "a.weave", "--seed", "x"])).toMatchObject({ code: 2, err: expect.stringContaining("x is not a number") });
  });

  test("does not know commands that are not there yet", async () => {
    for (const command of ["lsp", "serve", "studio"]) expect((await weave([command])).code, command).toBe(2);
  });
});

describe("weave check", () => {
  test("tells what flows can use when all is well", async () => {
    const cwd = project({ "a.weave": FLOW });
    expect(await weave(["check"], { cwd })).toEqual({ code: 0, out: "main  calls nothing\n", err: "✓ no problems in a.weave\n" });
  });

  test("shows every mistake of every file", async () => {
    const cwd = project({ "a.weave": "flow main() -> int { x }\n", "sub/b.weave": "flow main() -> int { y }\n" });
    const { code, out, err } = await weave(["check"], { cwd });
    expect([code, out]).toEqual([3, ""]);
    expect(err).toContain("a.weave:1:22");
    expect(err).toContain("sub/b.weave:1:22");
    expect(err).toMatch(/^2 errors$/m);
  });

  test("prints data with --json", async () => {
    const cwd = project({ "a.weave": "flow main() -> int { x }\n", "b.weave": FLOW });
    const { code, out, err } = await weave(["check", "--json"], { cwd });
    expect([code, err]).toEqual([3, ""]);
    const data = JSON.parse(out);
    expect(data.version).toBe(1);
    expect(data.diagnostics).toHaveLength(1);
    expect(data.diagnostics[0]).toMatchObject({
      file: "a.weave",
      severity: "error",
      range: { start: { line: 0, character: 21 }, end: { line: 0, character: 22 } },
    });
    expect(data.flows).toMatchObject([{ file: "b.weave", name: "main", bounds: { calls: { min: 0, max: 0 } }, budget: null }]);
  });

  test("tells what is wrong with a file that is none", async () => {
    const cwd = project({ "flow.weave": FLOW, "picture.weave": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff]), "empty/readme.md": "" });
    expect(await weave(["check", "flw.weave"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Did you mean `flow.weave`?"),
    });
    expect(await weave(["check", "picture.weave"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("not UTF-8") });
    expect(await weave(["check", "empty"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("folder") });
  });

  test("tells about an imported file that is no text", async () => {
    const cwd = project({ "a.weave": 'import { A } from "./b.weave"\nflow main() -> int { A }\n', "b.weave": Buffer.from([0xff]) });
    expect(await weave(["check", "a.weave"], { cwd })).toMatchObject({ code: 3, err: expect.stringContaining("b.weave") });
  });

  test("with --watch checks again after a change, until it is interrupted", async () => {
    const cwd = project({ "a.weave": FLOW });
    const run = start(["check", "a.weave", "--watch"], { cwd });
    await run.said("Watching");
    run.signal("SIGINT");
    expect(await run.ended).toMatchObject({ code: 0, err: expect.stringContaining("no problems in a.weave") });
  });
});

describe("weave fmt", () => {
  test("writes the one layout and names what it changed", async () => {
    const cwd = project({ "a.weave": "flow   main()->int{1}\n", "b.weave": FLOW });
    expect(await weave(["fmt", "--check"], { cwd })).toMatchObject({ code: 1, out: "a.weave\n" });
    expect(await weave(["fmt"], { cwd })).toEqual({ code: 0, out: "a.weave\n", err: "" });
    expect(await weave(["fmt", "--check"], { cwd })).toEqual({ code: 0, out: "", err: "" });
  });

  test("formats standard input", async () => {
    expect(await weave(["fmt", "-"], { input: "flow   main()->int{1}\n" })).toMatchObject({ code: 0, out: "flow main() -> int { 1 }\n" });
  });

  test("leaves a file with mistakes as it is", async () => {
    const cwd = project({ "a.weave": "flow main( {\n" });
    expect(await weave(["fmt"], { cwd })).toMatchObject({ code: 3, out: "" });
    expect(readFileSync(join(cwd, "a.weave"), "utf8")).toBe("flow main( {\n");
  });
});

describe("weave graph, plan and dump", () => {
  test("draw and list a flow", async () => {
    const cwd = project({ "a.weave": FLOW });
    expect(await weave(["graph", "a.weave"], { cwd })).toMatchObject({ code: 0, out: expect.stringMatching(/^flowchart TD\n/), err: "" });
    expect(await weave(["graph", "a.weave", "-f", "svg", "-o", "a.svg"], { cwd })).toEqual({ code: 0, out: "", err: "" });
    expect(readFileSync(join(cwd, "a.svg"), "utf8")).toMatch(/^<svg /);
    expect((await weave(["plan", "a.weave"], { cwd })).out).toContain("main(a: int(1..5), name: string) -> string");
  });

  test("a plan names the modules that run with the user's rights", async () => {
    const source = `tool step(n: int) -> int = module("./lib/step.ts")
tool other(n: int) -> int = module("./other.ts")
flow helper(n: int) -> int { step(n) }
flow main(n: int) -> int { helper(n) }
`;
    const cwd = project({ "a.weave": source });
    expect((await weave(["plan", "a.weave"], { cwd })).out).toContain("\n\nrun with your rights\n  lib/step.ts\n");
    expect(JSON.parse((await weave(["plan", "a.weave", "--json"], { cwd })).out)).toMatchObject({ modules: ["lib/step.ts"] });
    const pure = project({ "a.weave": "flow main(n: int) -> int { n }\n" });
    expect((await weave(["plan", "a.weave"], { cwd: pure })).out).not.toContain("rights");
  });

  test("show every stage", async () => {
    const cwd = project({ "a.weave": FLOW });
    for (const stage of ["tokens", "ast", "names", "types", "graph"]) {
      const { code, out } = await weave(["dump", stage, "a.weave"], { cwd });
      expect([code, out.includes("name")], stage).toEqual([0, true]);
    }
    expect(await weave(["dump", "grap", "a.weave"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Did you mean graph?"),
    });
  });

  test("name the flow that was meant", async () => {
    const cwd = project({ "a.weave": "flow one() -> int { 1 }\nflow two() -> int { 2 }\n" });
    expect(await weave(["graph", "a.weave"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("`one`, `two`") });
    expect(await weave(["graph", "a.weave", "tow"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Did you mean `two`?"),
    });
  });
});

describe("weave init", () => {
  test("makes a project that is checked, tested and run without a key", async () => {
    const cwd = project({});
    expect(await weave(["init", "demo"], { cwd })).toMatchObject({ code: 0, out: "" });
    const demo = join(cwd, "demo");
    for (const path of ["main.weave", "tools/text.ts", ".gitignore", "package.json"]) expect(existsSync(join(demo, path)), path).toBe(true);
    expect(await weave(["check"], { cwd: demo })).toMatchObject({ code: 0, err: expect.stringContaining("no problems") });
    expect(await weave(["test"], { cwd: demo })).toMatchObject({ code: 0, out: expect.stringContaining("1 passed") });
    const run = await weave(["run", "main.weave", "--sim"], { cwd: demo });
    expect(run).toMatchObject({ code: 0, err: expect.stringContaining("simulated") });
    expect(JSON.parse(run.out).notes).toHaveLength(2);
  });

  test("never overwrites a program", async () => {
    const cwd = project({ "main.weave": FLOW });
    expect(await weave(["init"], { cwd })).toMatchObject({ code: 1 });
    expect(readFileSync(join(cwd, "main.weave"), "utf8")).toBe(FLOW);
  });
});
