/** Programs that test themselves: what the language promises, said in the language. Every `test` in `programs/` passes. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../src/compile.js";
import { renderProblems } from "../src/diagnostics/render.js";
import { virtualClock } from "../src/host/clock.js";
import { fileHost } from "../src/host/files.js";
import { models } from "../src/host/providers/models.js";
import { toolHost } from "../src/host/tools/host.js";
import { runTest } from "../src/runtime/testing.js";

const folder = "test/programs";

describe.each(readdirSync(folder).filter((name) => name.endsWith(".weave")))("%s", (name) => {
  const compiled = compile(`${folder}/${name}`, fileHost());
  const { graph } = compiled;
  if (graph === undefined) {
    test("compiles", () => expect(renderProblems(compiled.problems, compiled.files)).toBe(""));
    return;
  }
  test.each(graph.tests.map((each) => [each.title, each] as const))("%s", async (_title, each) => {
    const result = await runTest(graph, each, {
      clock: virtualClock(),
      tools: toolHost({ directory: process.cwd(), allowed: [] }),
      models: models({ simulateAll: false, environment: () => undefined }),
      environment: () => undefined,
      seed: 1,
    });
    expect(renderProblems(result.problems, compiled.files)).toBe("");
    expect(result.unmet).toEqual([]);
    expect(result.status).toBe("passed");
  });
});
