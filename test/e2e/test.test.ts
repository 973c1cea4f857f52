/** `weave test` as a process. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { weaveFiles } from "../../src/host/files.js";
import { project, root, start, weave } from "../support/cli.js";

const PROGRAM = `agent Say(text: string) -> string {
  model: small
  prompt: "{{text}}"
}
model small { provider: "sim", name: "small" }
flow main(text: string) -> string { Say(text) }

test "it says so" {
  stub Say(text) => "so {{text}}"
  expect main("be it") == "so be it"
}

test "it says nothing <else>" {
  stub Say(text) => text
  let out = main("x")
  expect out == "y"
  expect main("") fails "timeout"
}
`;

describe("weave test", () => {
  test("passes the tests of every example", async () => {
    const { code, out, err } = await weave(["test", "examples"], { cwd: root });
    expect(err).toBe("");
    expect(out).not.toContain("✗");
    expect(out).toMatch(/\n\d\d passed\n$/);
    expect(code).toBe(0);
    // Every program that does something has a test.
    const without = weaveFiles(join(root, "examples")).filter((path) => {
      const text = readFileSync(path, "utf8");
      return /^(?:@.* )?(?:flow|compose) /m.test(text) && !/^test "/m.test(text);
    });
    expect(without).toEqual([]);
  });

  test("shows what was expected and found, where, and the calls", async () => {
    const { code, out } = await weave(["test"], { cwd: project({ "a.weave": PROGRAM }) });
    expect(code).toBe(1);
    expect(out).toContain("  ✓ it says so\n  ✗ it says nothing <else>\n");
    expect(out).toContain("a.weave:16:3");
    expect(out).toMatch(/expected "y"\s+found "x"/);
    expect(out).toContain('expected a failure of kind "timeout"');
    expect(out).toContain('main/Say = "x"');
    expect(out).toContain("1 passed, 1 failed\n");
  });

  test("runs those whose title holds a text", async () => {
    const { code, out } = await weave(["test", "--filter", "SAYS SO"], { cwd: project({ "a.weave": PROGRAM }) });
    expect(code).toBe(0);
    expect(out).toContain("1 passed\n");
  });

  test("gives data and a report for build servers", async () => {
    const cwd = project({ "a.weave": PROGRAM });
    const { code, out } = await weave(["test", "--json", "--junit", "report.xml"], { cwd });
    expect(code).toBe(1);
    const { tests } = JSON.parse(out);
    expect(tests).toMatchObject([
      { title: "it says so", status: "passed", failures: [] },
      { status: "failed", failures: [{ at: "a.weave:16:3" }, { at: "a.weave:17:3" }] },
    ]);
    const report = readFileSync(join(cwd, "report.xml"), "utf8");
    expect(report).toContain('<testsuite name="a.weave" tests="2" failures="1">');
    expect(report).toContain('name="it says nothing &lt;else&gt;"');
  });

  test("lists what no test reached, and where it is", async () => {
    const cwd = project({
      "a.weave": `model small { provider: "sim", name: "small" }
agent Say(text: string) -> string { model: small, prompt: "{{text}}" }
agent Never(text: string) -> string { model: small, prompt: "{{text}}" }
@fallback(Spare) tool risky(text: string) -> string = module("./t.ts")
tool Spare(text: string) -> string = module("./t.ts")
flow main(n: int) -> string {
  let size = if n > 3 { "big" } else { "small" }
  let said = try risky(size) recover e { e.kind }
  match n {
    0 => "none"
    _ => Say(said)
  }
}
test "a big one" {
  stub risky(_) => "r"
  stub Say(_) => "s"
  expect main(4) == "s"
}
`,
    });
    const { code, out } = await weave(["test", "--coverage"], { cwd });
    expect(code).toBe(0);
    expect(out).toMatch(/agents +1 of 2\n +arms of match and if +2 of 4\n +recover branches +0 of 1\n +fallbacks +0 of 1\n/);
    expect(out).toContain("a.weave:3:7  agent Never\n");
    expect(out).toContain("fallback of risky to Spare\n");
    expect(out).toContain('a.weave:7:14  arm else of `if`: if n > 3 { "big" } else { "small" }\n');
    expect(out).toContain('a.weave:10:5  arm of `match`: 0 => "none"\n');
    const { coverage } = JSON.parse((await weave(["test", "--coverage", "--json"], { cwd })).out);
    expect(coverage.counts.arm).toEqual({ reached: 2, total: 4 });
    expect(coverage.missed).toHaveLength(5);
  });

  test("says how to stub what is neither stubbed nor simulated", async () => {
    const cwd = project({
      "a.weave": `import { haiku } from "std/models"
agent Say(text: string) -> string { model: haiku, prompt: "{{text}}" }
tool look(path: string, deep: bool) -> string = module("./t.ts")
test "x" { expect Say("a") == "b" }
test "y" { expect look("a", true) == "b" }
`,
    });
    const { code, out } = await weave(["test"], { cwd });
    expect(code).toBe(1);
    expect(out).toContain('the agent Say is not stubbed: add `stub Say(_) => …` to the test, or give it a model with provider "sim"');
    expect(out).toContain("the tool look is not stubbed: add `stub look(_, _) => …` to the test");
  });

  test("with --watch tests again after a change, until it is interrupted", async () => {
    const cwd = project({ "a.weave": PROGRAM });
    const run = start(["test", "--watch", "--filter", "so"], { cwd });
    await run.said("Watching");
    writeFileSync(join(cwd, "a.weave"), "flow main( {\n");
    await run.said("error[W");
    run.signal("SIGINT");
    expect(await run.ended).toMatchObject({ code: 0, out: expect.stringContaining("1 passed\n") });
  });

  test("of a file with mistakes shows them", async () => {
    const { code, err } = await weave(["test"], { cwd: project({ "a.weave": 'test "x" { expect y }\n' }) });
    expect(code).toBe(3);
    expect(err).toContain("a.weave:1:19");
  });
});
