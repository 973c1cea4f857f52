/** What the simulator makes up keeps to what a program says about it. */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { fileHost } from "../../src/host/files.js";
import { referencesOf } from "../../src/plan/references.js";
import { randomFor } from "../../src/runtime/hash.js";
import { sample } from "../../src/runtime/sample.js";

const SOURCE = `type Task = { id: string(/^[a-c]$/), needs: string[..2], title: string }
agent Plan() -> Task[3..] { model: m, prompt: "x" }
model m { provider: "sim" }
flow main() -> string[] {
  map task in Plan() by task.id after task.needs giving before: string[] { task.title }
}
`;

describe("made-up lists", () => {
  test("whose items name each other name items before them", () => {
    const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", SOURCE]])));
    if (graph === undefined) throw new Error(renderProblems(problems, files));
    const references = referencesOf(graph);
    expect(references).toEqual([{ key: "id", needs: "needs" }]);
    const plan = Object.values(graph.agents).find(({ name }) => name === "Plan");
    if (plan === undefined) throw new Error("no agent");
    let named = 0;
    for (let seed = 0; seed < 50; seed++) {
      const options = { types: graph.types, random: randomFor(seed, "x"), references };
      const tasks = sample(plan.result, options) as readonly { readonly id: string; readonly needs: readonly string[] }[];
      for (const [i, { id, needs }] of tasks.entries()) {
        const before = tasks.slice(0, i).map((task) => task.id);
        expect(id).toMatch(/^[a-c]$/);
        expect(needs.length).toBeLessThanOrEqual(2);
        for (const each of needs) expect(before).toContain(each);
        named += needs.length;
      }
    }
    expect(named).toBeGreaterThan(20);
  });
});
