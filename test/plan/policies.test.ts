import { expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import type { NodeIR, Policies } from "../../src/plan/ir.js";
import { hostOf } from "../semantics/program.js";

const BASE = `
model m { provider: "sim" }
agent A(x: string) -> string { model: m, prompt: "{{x}}" }
agent B(x: string) -> string { model: m, prompt: "{{x}}" }
effect tool pay(to: string) -> int = module("./t.ts")
effect tool refund(id: int) -> null = module("./t.ts")
tool combine(conflict: { path: string, base: string, ours: string, theirs: string }) -> string = module("./t.ts")
policy careful { @retry(3) @timeout(30s) }
`;

/** The policies of the first node of a flow that carries any. */
function policies(body: string): Policies {
  const { graph, problems } = compile(
    "main.weave",
    hostOf({ "main.weave": `${BASE}flow main(s: string, xs: string[..20]) { assert len(xs) > len(s)\n${body} }` }),
  );
  const flow = graph === undefined ? undefined : graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) throw new Error(problems.map((p) => `${p.code} ${p.title}`).join("\n"));
  const found = flow.body.nodes.find((node: NodeIR) => Object.keys(node.policies).length > 0);
  return found?.policies ?? {};
}

const constant = (value: number | boolean | string) => ({ kind: "const", value });

test("defaults are filled in", () => {
  expect(policies('@retry(3) A("x")').retry).toEqual({
    times: constant(3),
    backoff: constant(1000),
    factor: constant(2),
    max: constant(60_000),
    jitter: constant(true),
  });
  expect(policies('@breaker(failures: 2) A("x")').breaker).toEqual({
    failures: constant(2),
    window: constant(60_000),
    cooldown: constant(30_000),
  });
  expect(policies("@lock(s) pay(s)").lock?.scope).toBe("run");
});

test("values have the units of the graph", () => {
  expect(policies('@timeout(2m) A("x")').timeout).toEqual({ after: constant(120_000) });
  expect(policies('@budget($0.50, time: 1m, calls: 2) A("x")').budget).toEqual({
    cost: constant(0.5),
    time: constant(60_000),
    calls: constant(2),
  });
  expect(policies('@rate(10/s) A("x")').rate).toEqual({ perSecond: 10 });
});

test("a whole number is a count and anything else a share", () => {
  expect(policies("@min_success(80%) map x in xs { A(x) }").minSuccess).toEqual({ value: constant(0.8), share: true });
  expect(policies("@min_success(3) map x in xs { A(x) }").minSuccess).toEqual({ value: constant(3), share: false });
  expect(policies("@min_success(1.0) map x in xs { A(x) }").minSuccess).toEqual({ value: constant(1), share: true });
});

test("callables become references", () => {
  expect(policies('@fallback(B) A("x")').fallback).toEqual([{ kind: "agent", id: "B" }]);
  expect(policies("@compensate(refund) pay(s)").compensate).toEqual({ callee: { kind: "tool", id: "refund" } });
  expect(policies('@isolate("worktree", resolve: combine) A("x")').isolate).toEqual({
    mode: "worktree",
    resolve: { kind: "tool", id: "combine" },
  });
});

test("bundles are opened, and what is written at the place wins", () => {
  const found = policies('@careful @timeout(5s) A("x")');
  expect(found.timeout).toEqual({ after: constant(5000) });
  expect(found.retry?.times).toEqual(constant(3));
});
