/** What bounds count, construct by construct, and what is said of budgets. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { type Count, larger, plus, symbol, symbolsOf, tighter, times, valueAt } from "../../src/plan/bound-algebra.js";
import { callsInTree, groupCalls } from "../../src/plan/bound-groups.js";
import { boundLine } from "../../src/plan/bound-report.js";
import { jsonBytes, meet, plainBytes, type Shape, shapeOfType, shapeOfValue } from "../../src/plan/bound-sizes.js";
import { costText, countText } from "../../src/plan/bound-text.js";
import { bounds, type FlowBound } from "../../src/plan/bounds.js";
import { judge, verdictText } from "../../src/plan/budgets.js";
import type { Graph, TypeIR } from "../../src/plan/ir.js";
import { utf8Length } from "../../src/source/utf8.js";

import { compiledCodes, hostOf } from "../semantics/program.js";

const BASE = `
model m { provider: "sim", price: { input: $1.00, output: $10.00 }, context: 10k, max_output: 100, overhead: 0 }
model n { provider: "sim", price: { input: $2.00, output: $20.00 }, context: 10k, max_output: 100, overhead: 0 }
model both { fallback: [m, n] }
model either { balance: [m, n] }
tool t(x: string) -> string = module("./t.ts")
tool u(x: string) -> string = module("./t.ts")
@cost($0.01) tool dear(x: string) -> string = module("./t.ts")
tool many(x: string) -> string[] = module("./t.ts")
agent A(x: string) -> string { model: m, repairs: 0, prompt: "{{x}}" }
agent R(x: string) -> string { model: m, repairs: 2, prompt: "{{x}}" }
agent W(x: string) -> string { model: m, repairs: 1, tools: [dear, t], max_turns: 4, max_calls_per_turn: 3, prompt: "{{x}}" }
agent Boss(x: string) -> string { model: m, repairs: 0, tools: [W], max_turns: 2, max_calls_per_turn: 1, prompt: "{{x}}" }
agent Two(a: string, b: string) -> string { model: m, repairs: 0, prompt: "{{a}}{{b}}" }
agent All(xs: string[]) -> string { model: m, repairs: 0, prompt: "{{json xs}}" }
agent Grouped(x: string) -> string { model: both, repairs: 0, prompt: "{{x}}" }
agent Balanced(x: string) -> string { model: either, repairs: 0, prompt: "{{x}}" }
`;

function graphOf(source: string): Graph {
  const { graph, problems, files } = compile("main.weave", hostOf({ "main.weave": source }));
  if (graph === undefined) throw new Error(renderProblems(problems, files));
  return graph;
}

function boundOf(body: string, params = "x: string, xs: string[], ys: string[..20]", more = ""): FlowBound {
  const graph = graphOf(`${BASE}${more}\nflow main(${params}) {\n${body}\n}\n`);
  const flow = graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) throw new Error("no flow");
  return bounds(graph).of(flow);
}

/** Calls and requests at most, calls at least. */
function counts(body: string, params?: string, more?: string): readonly [string | undefined, string | undefined, number] {
  const { inside } = boundOf(body, params, more);
  return [countText(inside.most.calls), countText(inside.most.requests), inside.least.calls];
}

describe("what is counted", () => {
  test.each<[string, string | undefined, string | undefined, number]>([
    ["A(x)", "1", "1", 1],
    ["R(x)", "1", "3", 1],
    ["@retry(2) A(x)", "3", "3", 1],
    ["@retry(2) R(x)", "3", "9", 1],
    ["@hedge(after: 1s) A(x)", "2", "2", 1],
    ["@retry(1) @hedge(after: 1s) A(x)", "4", "4", 1],
    ["@fallback(R) A(x)", "2", "4", 1],
    ["@retry(1) @fallback(R) A(x)", "3", "5", 1],
    ["t(x)", "1", "0", 1],
    // 4 turns and a repair; 3 turns with 3 tools each.
    ["W(x)", "10", "5", 1],
    // 2 turns of its own, one call of an agent.
    ["Boss(x)", "11", "7", 1],
    ["Grouped(x)", "1", "2", 1],
    ["Balanced(x)", "1", "1", 1],
    ["{ a: A(x), b: A(x) }", "2", "2", 2],
    ["A(x) |> A |> A", "3", "3", 3],
    ["fork { a: A(x), b: R(x) }", "2", "4", 2],
    ["@min_success(50%) fork { a: A(x), b: R(x) }", "2", "4", 1],
    ["settle fork { a: A(x), b: A(x) }", "2", "2", 0],
    ["race { A(x), R(x) }", "2", "4", 1],
    ["vote 7 by v => len(v) { A(x) }", "7", "7", 1],
    ["@min_success(50%) vote 7 by v => len(v) { A(x) }", "7", "7", 4],
    ["loop s: string = A(x) up to 3 {\n next A(s)\n}", "4", "4", 1],
    ["try { A(x) } recover err { R(x) }", "2", "4", 1],
    ['if x == "" { A(x) } else { R(x) |> A }', "2", "4", 1],
    ['match x { "a" => A(x), "b" => R(x), _ => "c" }', "1", "3", 0],
    ["@retry(1) { A(x) |> A }", "4", "4", 2],
    ["map y in ys { A(y) }", "20", "20", 0],
    ["map x in [x, x] { A(x) }", "2", "2", 2],
    ["map x in xs { A(x) }", "|xs|", "|xs|", 0],
    ["map x in xs { map y in ys { R(y) } }", "20·|xs|", "60·|xs|", 0],
    ["map a in xs { map b in xs { A(b) } }", "|xs|·|xs|", "|xs|·|xs|", 0],
    ["map y in take(ys, 3) { A(y) }", "3", "3", 0],
    ["map y in flatten([ys, ys]) { A(y) }", "40", "40", 0],
    ["map y in many(x) { A(y) }", "|ys| + 1", "|ys|", 1],
    ["let found = many(x)\nmap y in found { A(y) }", "|found| + 1", "|found|", 1],
    ["map y in [...ys, x] { A(y) }", "21", "21", 1],
    ["@min_success(50%) map y in [x, x, x] { A(y) }", "3", "3", 2],
    ["settle map y in [x, x, x] { A(y) }", "3", "3", 0],
    ["map y in ys where len(y) > 2 { A(y) }", "20", "20", 0],
    ["reduce ys with Two", "19", "19", 0],
    ["reduce xs with Two", "|xs|", "|xs|", 0],
    ["reduce ys in groups of 10 with All", "3", "3", 0],
    ["fold(ys, x, (acc, y) => Two(acc, y))", "20", "20", 0],
    ["filter(ys, y => len(A(y)) > 1)", "20", "20", 0],
  ])("%s", (body, calls, requests, least) => {
    expect(counts(body)).toEqual([calls, requests, least]);
  });

  test("what nothing needs is not run, and costs nothing", () => {
    expect(counts("let unused = A(x)\nA(x)")).toEqual(["1", "1", 1]);
  });

  test("flows count for what they are called with", () => {
    const helper = "flow helper(zs: string[]) -> string[] { map z in zs { A(z) } }";
    expect(counts("helper([x, x, x])", undefined, helper)).toEqual(["3", "3", 3]);
    expect(counts("helper(ys)", undefined, helper)).toEqual(["20", "20", 0]);
    expect(counts("helper(xs)", undefined, helper)).toEqual(["|xs|", "|xs|", 0]);
    expect(counts("helper(many(x))", undefined, helper)).toEqual(["|helper.zs| + 1", "|helper.zs|", 1]);
  });

  test("generic flows count for what they are given", () => {
    const twice = "flow twice<T>(f: (T) -> T, x: T) -> T { f(f(x)) }";
    expect(counts("twice(A, x)", undefined, twice)).toEqual(["2", "2", 2]);
    expect(counts("twice(s => R(s), x)", undefined, twice)).toEqual(["2", "6", 2]);
  });

  test("a capability counts as its dearest candidate, without those that cannot fit", () => {
    const more = `capability C(x: string) -> string
@latency(1s) agent Cheap(x: string) -> string implements C { model: m, repairs: 0, prompt: "{{x}}" }
@latency(9s) agent Dear(x: string) -> string implements C { model: m, repairs: 4, prompt: "{{x}}" }`;
    expect(counts("C(x)", undefined, more)).toEqual(["1", "5", 1]);
    expect(counts("@max_latency(2s) C(x)", undefined, more)).toEqual(["1", "1", 1]);
    const { inside } = boundOf("C(x)", undefined, more);
    expect(inside.least.requests).toBe(1);
  });

  test("numbers take the place of symbols when inputs are known", () => {
    const graph = graphOf(
      `${BASE}\nflow main(xs: string[], runs: int(1..5) = 2) { { a: map x in xs { A(x) }, b: vote runs by v => len(v) { A("x") } } }`,
    );
    const flow = graph.flows[graph.entries["main"] ?? ""];
    if (flow === undefined) throw new Error("no flow");
    expect(countText(bounds(graph).of(flow).inside.most.calls)).toBe("|xs| + 5");
    expect(bounds(graph, { xs: ["a", "b", "c"] }).of(flow).inside.most.calls).toBe(5);
  });
});

describe("what a request costs", () => {
  // A prompt of one message: 16 bytes of framing, output 100 tokens at $10 a million.
  const output = 100 * 10_000;
  test.each<[string, string, number]>([
    ["A(x)", "x: string(..100)", (400 + 16) * 1000 + output],
    ["A(x)", 'x: "low" | "high"', (4 + 16) * 1000 + output],
    ["A(x)", "x: string", 10_000 * 1000 + output],
    ["dear(x)", "x: string", 10_000_000],
    // One schema-free list of texts as JSON: brackets, and each with quotes, escapes and a comma.
    ["All(xs)", "xs: string(..10)[..3]", (2 + 3 * (60 + 2 + 1) + 16) * 1000 + output],
    ["Grouped(x)", 'x: "low"', (3 + 16) * 3000 + output * 3],
    ["Balanced(x)", 'x: "low"', (3 + 16) * 2000 + output * 2],
  ])("%s of %s", (body, params, cost) => {
    expect(boundOf(body, params).inside.most.cost).toBe(cost);
  });

  test("media counts as its model says, as often as it may stand in a prompt", () => {
    const more = `
model seeing { provider: "sim", price: { input: $1.00, output: $10.00 }, media: { image: 300, document: 2k }, max_output: 100, overhead: 0, token_factor: 0.5 }
agent Look(a: image, b: image[..4], c: document?) -> string {
  model: seeing
  repairs: 0
  prompt: "{{a}}{{#each b}}{{this}}{{/each}}{{#if c}}{{c}}{{/if}}"
}`;
    const tokens = (params: string, call: string) => boundOf(call, params, more).inside.most.inputTokens;
    expect(tokens("a: image, b: image[..4], c: document?", "Look(a, b, c)")).toBe(300 + 4 * 300 + 2000 + 8);
    expect(tokens("a: image", "Look(a, [a], null)")).toBe(300 + 300 + 2000 + 8);
    const blind = `agent Blind(a: image) -> string { model: m, repairs: 0, prompt: "{{a}}" }`;
    expect(boundOf("Blind(a)", "a: image", blind).inside.most.inputTokens).toBe(1_600 + 16);
  });

  test("a prompt that may be shrunk is sent four times more, and summarised in four pieces each time", () => {
    const agent = (how: string) => `agent S(x: string) -> string { model: m, repairs: 0, prompt: "{{x}}", shrink: { x: "${how}" } }`;
    const requests = (how: string) => boundOf("S(x)", "x: string(..100)", agent(how)).inside.most.requests;
    expect([requests("truncate"), requests("summarise")]).toEqual([5, 21]);
  });

  test("a repair holds what was answered before", () => {
    const { inside } = boundOf("R(x)", 'x: "low"');
    const first = 3 + 16;
    const grows = 2 * 16 + 4 * 100 + 2000;
    expect(inside.most.inputTokens).toBe(3 * first + 3 * grows);
  });

  test("a text without a limit has no bound where the model has no context", () => {
    const more = `model wide { provider: "sim", price: { input: $1.00, output: $1.00 } }\nagent Wide(x: string) -> string { model: wide, prompt: "{{x}}" }`;
    expect(boundOf("Wide(x)", "x: string", more).inside.most.cost).toBe(Number.POSITIVE_INFINITY);
    expect(costText(boundOf("Wide(x)", "x: string", more).inside.most.cost)).toBeUndefined();
  });

  test("a budget caps what is around it, not what is inside", () => {
    const { inside } = boundOf("{ a: @budget($0.01) { A(x) |> A }, b: @budget($0.015, calls: 1) { map y in xs { A(y) } } }");
    expect(inside.most.cost).toBe(25_000_000);
    expect(inside.most.calls).toBe(3);
  });
});

describe("time", () => {
  test.each<[string, number]>([
    ["@timeout(10s) A(x)", 10_000],
    ["@timeout(10s) @retry(2, backoff: 1s, factor: 2) A(x)", 33_000],
    ["{ a: @timeout(10s) A(x), b: @timeout(3s) A(x) }", 10_000],
    ["let a = @timeout(10s) A(x)\n@timeout(3s) A(a)", 13_000],
    ["@parallel(5) map y in ys { @timeout(1s) A(y) }", 4_000],
    ["map y in ys { @timeout(1s) A(y) }", 1_000],
    ["reduce ys with @timeout(1s) Two", 5_000],
    ["@timeout(2s) { A(x) }", 2_000],
    ["@budget($1.00, time: 5s) { A(x) }", 5_000],
  ])("%s", (body, ms) => {
    expect(boundOf(body).inside.time.most).toBe(ms);
  });
});

describe("budgets", () => {
  const verdict = (budget: string, body: string, params = "x: string(..100), xs: string(..100)[]"): string => {
    const graph = graphOf(`${BASE}\n@budget(${budget})\nflow main(${params}) {\n${body}\n}\n`);
    const flow = graph.flows[graph.entries["main"] ?? ""];
    const site = flow === undefined ? undefined : bounds(graph).of(flow).budget;
    return site === undefined ? "" : verdictText(judge(site));
  };
  // A call of A with 100 characters costs $0.001416 at most.
  test.each<[string, string, string]>([
    ["$0.01", "A(x)", "is enough"],
    ["$0.01", "{ a: map x in xs { A(x) }, b: A(x) }", "is enough for up to 6 xs"],
    ["$0.002", "{ a: map x in xs { A(x) }, b: A(x) }", "may run short"],
    ["$0.002", "@retry(1) A(x)", "may run short"],
    ["calls: 5", "map x in xs { A(x) }", "is enough for up to 5 xs"],
    ["$0.01, calls: 3", "map x in xs { A(x) }", "is enough for up to 3 xs"],
    ["tokens: 1k", "A(x)", "is enough"],
  ])("@budget(%s) of %s %s", (budget, body, expected) => {
    expect(verdict(budget, body)).toBe(expected);
  });

  const codes = (source: string): readonly string[] => compiledCodes(`${BASE}\n${source}`, "W08");
  test("one below what is needed is an error, one that may run short a note", () => {
    expect(codes("@budget($0.0005)\nflow main(x: string) { A(x) }")).toEqual(["W0801 «main»"]);
    expect(codes("flow main(x: string) { @budget($0.0005) A(x) }")).toEqual(["W0801 «A(x)»"]);
    expect(codes("@budget($0.002)\nflow main(x: string) { A(x) }")).toEqual(["W0806 «main»"]);
    expect(codes("@budget($0.002)\nflow main(x: string(..200)) { @retry(5) A(x) }")).toEqual(["W0802 «main»"]);
    expect(codes("@budget($5)\nflow main(x: string) { A(x) }")).toEqual([]);
  });

  test("a model without a price under one is an error", () => {
    const own = `model own { provider: "command", command: ["x"] }\nagent Own(x: string) -> string { model: own, prompt: "{{x}}" }\n`;
    expect(codes(`${own}@budget($1)\nflow main(x: string) { Own(x) }`)).toEqual(["W0803 «main»"]);
    expect(codes(`${own}@budget(calls: 5)\nflow main(x: string) { Own(x) }`)).toEqual([]);
  });

  test("a line for a flow", () => {
    expect(boundLine(boundOf("{ a: map x in xs { A(x) }, b: A(x) }", "x: string(..100), xs: string(..100)[]"))).toBe(
      "≤ |xs| + 1 calls · cost ≤ $0.0015·|xs| + $0.0015",
    );
  });
});

describe("what must be kept back", () => {
  const graph = graphOf(`${BASE}
flow main(x: string(..100), xs: string(..100)[..50]) {
  let first = @retry(3) R(x)
  let all = @min_success(50%) map y in xs { A(y) }
  let better = loop s: string = first up to 3 {
    next A(s)
  }
  { report: All(all), better: better }
}`);
  const flow = graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) throw new Error("no flow");
  const known = (values: Readonly<Record<string, unknown>>): ReadonlyMap<string, Shape> =>
    new Map(Object.entries(values).map(([id, value]) => [id, shapeOfValue(value)]));

  test("one attempt of each call, with texts as long as they may be", () => {
    const { total, of } = bounds(graph).minimums(flow.body, known({ x: "short", xs: ["a", "b", "c", "d"] }));
    expect(total.calls).toBe(1 + 2 + 1);
    expect([...of.values()].map((node) => node.all.calls)).toEqual([1, 2, 0, 1]);
    expect(total.cost).toBe(
      // The report gets texts without a limit: a whole context.
      (5 + 16 + 100 * 10) * 1000 + 2 * (1 + 16 + 100 * 10) * 1000 + (10_000 + 100 * 10) * 1000,
    );
  });

  test("nothing for what has ended, and less as sizes become known", () => {
    const done = Object.fromEntries(flow.body.nodes.map((node) => [node.id, node.kind === "map" ? ["a", "b"] : "text"]));
    const { All: _, ...others } = done;
    const { total, of } = bounds(graph).minimums(flow.body, known({ x: "short", xs: [], ...others }));
    expect([...of.keys()]).toEqual(["All"]);
    // Brackets, and each text with its quotes and a comma.
    expect(total.cost).toBe((2 + 2 * 4 + 16 + 100 * 10) * 1000);
  });
});

// ------------------------------------------------------------------------------------------------- properties

const count: fc.Arbitrary<Count> = fc.letrec<{ count: Count }>((tie) => ({
  count: fc.oneof(
    { maxDepth: 3 },
    fc.nat(20),
    fc.constantFrom("a", "b").map(symbol),
    fc.tuple(tie("count"), tie("count")).map(([x, y]) => plus(x, y)),
    fc.tuple(tie("count"), tie("count")).map(([x, y]) => times(x, y)),
  ),
})).count;
const sizes = fc.record({ a: fc.nat(9), b: fc.nat(9) });

describe("counts", () => {
  test("add, multiply and compare as their values do, for every size", () => {
    fc.assert(
      fc.property(count, count, sizes, (x, y, given) => {
        const at = (c: Count): number => valueAt(c, (name) => given[name as keyof typeof given]);
        expect(at(plus(x, y))).toBe(at(x) + at(y));
        expect(at(times(x, y))).toBe(at(x) * at(y));
        expect(at(larger(x, y))).toBeGreaterThanOrEqual(Math.max(at(x), at(y)));
        expect([at(x), at(y)]).toContain(at(tighter(x, y)));
        expect(symbolsOf(plus(x, y)).every((name) => name === "a" || name === "b")).toBe(true);
      }),
    );
  });

  test("groups: the line is above the exact number of calls", () => {
    for (const size of [2, 3, 4, 10, 33])
      for (const items of [0, 1, 2, 3, 7, 10, 11, 99, 100, 101, 1000, 4321, 100_000, 999_999])
        expect(valueAt(groupCalls(symbol("n"), size), () => items)).toBeGreaterThanOrEqual(callsInTree(items, size));
  });
});

const type: fc.Arbitrary<TypeIR> = fc.letrec<{ type: TypeIR }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    fc.option(fc.nat(6), { nil: undefined }).map((max): TypeIR => (max === undefined ? { kind: "string" } : { kind: "string", max })),
    fc.constant<TypeIR>({ kind: "int" }),
    fc.constant<TypeIR>({ kind: "bool" }),
    fc.constant<TypeIR>({
      kind: "union",
      of: [
        { kind: "literal", value: "low" },
        { kind: "literal", value: "höher" },
      ],
    }),
    fc.tuple(tie("type"), fc.nat(3)).map(([of, max]): TypeIR => ({ kind: "list", of, max })),
    tie("type").map((of): TypeIR => ({ kind: "union", of: [of, { kind: "null" }] })),
    fc.tuple(tie("type"), tie("type")).map(
      ([a, b]): TypeIR => ({
        kind: "record",
        fields: [
          { name: "a", type: a, optional: false },
          { name: 'b"', type: b, optional: false },
        ],
      }),
    ),
  ),
})).type;

const text = (max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom("a", "é", "€", "😀", '"', "\\", "\u0001", "\ud800"), maxLength: max });
function drawn(t: TypeIR): fc.Arbitrary<unknown> {
  switch (t.kind) {
    case "string":
      return text(t.max ?? 12);
    case "int":
      return fc.integer();
    case "bool":
      return fc.boolean();
    case "literal":
      return fc.constant(t.value);
    case "list":
      return fc.array(drawn(t.of), { maxLength: t.max ?? 3 });
    case "record":
      return fc.record(Object.fromEntries(t.fields.map((field) => [field.name, drawn(field.type)])));
    case "union":
      return fc.oneof(...t.of.map(drawn));
    default:
      return fc.constant(null);
  }
}

test("shapes of types and of values hold for the values", () => {
  fc.assert(
    fc.property(
      type.chain((t) => fc.tuple(fc.constant(t), drawn(t))),
      ([t, value]) => {
        const json = utf8Length(JSON.stringify(value));
        const plain = typeof value === "string" ? utf8Length(value) : value === null ? 0 : json;
        for (const shape of [shapeOfType(t, {}), shapeOfValue(value), meet(shapeOfValue(value), t, {}), meet(shapeOfType(t, {}), t, {})]) {
          expect(valueAt(jsonBytes(shape), () => undefined)).toBeGreaterThanOrEqual(json);
          expect(valueAt(plainBytes(shape), () => undefined)).toBeGreaterThanOrEqual(plain);
        }
      },
    ),
    { numRuns: 500 },
  );
});
