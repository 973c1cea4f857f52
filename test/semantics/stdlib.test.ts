import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { problems } from "../../src/diagnostics/problems.js";
import { FAILURE_KINDS } from "../../src/semantics/builtins.js";
import { check } from "../../src/semantics/check.js";
import { resolve } from "../../src/semantics/resolve.js";
import { expand, members } from "../../src/semantics/types.js";
import { checked, hostOf } from "./program.js";

const STDLIB = join(import.meta.dirname, "../../stdlib");
const modules = readdirSync(STDLIB, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".weave"))
  .map((path) => path.slice(0, -".weave".length));

/** Everything a module offers, imported at once. */
function importAll(name: string): string {
  const text = readFileSync(join(STDLIB, `${name}.weave`), "utf8");
  const names = [...text.matchAll(/^(?:effect )?(?:type|model|tool|flow|agent) ([A-Za-z]\w*)/gm)].map(([, declared]) => declared);
  return `import { ${names.join(", ")} } from "std/${name}"\nflow main() -> int { 1 }\n`;
}

describe("every module of the standard library", () => {
  test.each(modules)("std/%s has no problems", (name) => {
    const found = problems();
    check(resolve("main.weave", hostOf({ "main.weave": importAll(name) }), found), found);
    expect(found.list().filter((p) => p.code !== "W0208")).toEqual([]);
  });

  test.each(modules)("std/%s documents what it offers", (name) => {
    const lines = readFileSync(join(STDLIB, `${name}.weave`), "utf8").split("\n");
    lines.forEach((line, i) => {
      if (!/^(effect |@\w+ )*(effect )?(type|model|tool|flow|agent) [A-Z_a-z]/.test(line)) return;
      let above = i - 1;
      while ((lines[above] ?? "").startsWith("@")) above--;
      // Types of one line may say in their name what they are.
      if (!line.startsWith("type") || line.endsWith("{")) expect(`${name}: ${line} ← ${lines[above]}`).toMatch(/← \/\/\//);
    });
  });
});

test("the prelude's failure kinds are those that `fail` knows", () => {
  const { typed } = checked('flow f() -> FailureKind { "timeout" }');
  const symbol = typed.resolved.entry.names.get("f");
  const result = symbol === undefined ? undefined : typed.checker.signature(symbol)?.result();
  const kinds = result === undefined ? [] : members(result).map((m) => expand(m));
  expect(kinds.map((k) => (k.kind === "literal" ? k.value : k.kind))).toEqual([...FAILURE_KINDS]);
});

test("patterns take agents, flows and lambdas", () => {
  const source = `
import { refine } from "std/patterns/refine"
import { best_of } from "std/patterns/best_of"
import { debate } from "std/patterns/debate"
import { map_reduce } from "std/patterns/map_reduce"
import { scout_plan_build_review, Step } from "std/patterns/scout_plan_build_review"
import { sim } from "std/models"
import { shuffle, sample } from "std/random"

type Critique = { score: float(0..1), fixes: string[..5] }
type Task = { title: string }
type Change = { summary: string }

agent Write(topic: string) -> string { model: sim, prompt: "{{topic}}" }
agent Judge(topic: string, draft: string) -> Critique { model: sim, prompt: "{{topic}} {{draft}}" }
agent Revise(draft: string, critique: Critique) -> string { model: sim, prompt: "{{draft}} {{json critique}}" }
agent Merge(notes: string[1..10]) -> string { model: sim, prompt: "{{json notes}}" }
agent Plan(goal: string, seen: string[]) -> Step<Task>[..20] { model: sim, prompt: "{{goal}} {{json seen}}" }
agent Build(task: Task, earlier: Change[]) -> Change { model: sim, prompt: "{{task.title}} {{json earlier}}" }
agent Review(changes: Change[]) -> bool { model: sim, prompt: "{{json changes}}" }

flow refined(topic: string) -> string {
  refine(Write(topic), d => Judge(topic, d), c => c.score, Revise, rounds: 2)
}
flow best(topic: string) -> string { best_of(5, i => Write("{{topic}} {{i}}"), d => Judge(topic, d).score) }
flow argued(question: string) -> string {
  debate((side, heard) => Write("{{question}} {{side}} {{json heard}}"), said => Write("{{question}} {{json said}}"))
}
flow merged(topics: string[]) -> string? { map_reduce(topics, Write, Merge) }
flow delivered(goal: string) -> { done: bool, changes: Change[] } {
  let all = scout_plan_build_review(["ui", "api"], a => Write("{{a}} {{goal}}"), seen => Plan(goal, seen), Build, Review)
  { done: all.verdict, changes: all.changes }
}
flow drawn(xs: string[..9]) -> string[] { xs |> shuffle |> sample(3) }
`;
  expect(checked(source).found.map((p) => `${p.code} ${p.title} ${p.label ?? ""} «${source.slice(p.span.start, p.span.end)}»`)).toEqual([]);
});
