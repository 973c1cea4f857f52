/** `weave test` as a process. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, root, weave } from "../support/cli.js";

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

  test("of a file with mistakes shows them", async () => {
    const { code, err } = await weave(["test"], { cwd: project({ "a.weave": 'test "x" { expect y }\n' }) });
    expect(code).toBe(3);
    expect(err).toContain("a.weave:1:19");
  });
});
