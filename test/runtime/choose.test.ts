/**
 * Which implementation carries a capability out: the pure choice against an independent reading of its rule, and runs in
 * which budgets, limits, arguments, preferences and earlier runs decide.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { fileHost } from "../../src/host/files.js";
import type { Experience, Limits, Offer, Uses } from "../../src/plan/bound-choice.js";
import type { Graph } from "../../src/plan/ir.js";
import { choose, type Lack } from "../../src/runtime/choose.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { why } from "../../src/runtime/why.js";
import * as f from "../support/flows.js";

interface Drawn {
  readonly offer: Offer;
  readonly attempt: Uses;
  readonly keep: Uses;
  readonly experience: Experience | undefined;
}

const figure = (...values: readonly number[]) => fc.constantFrom(...values);
/** Few different values, so that ties are common. */
const drawn = fc
  .record({
    preference: figure(0, 1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
    quality: figure(0, 0.5, 0.5, 0.9),
    latency: figure(0, 500, 20_000, Number.POSITIVE_INFINITY),
    cost: figure(0, 10, 10, 20, 40, Number.POSITIVE_INFINITY),
    tokens: figure(0, 100, 900),
    kept: figure(0, 0.25, 0.5, 1),
    experience: fc.option(fc.record({ success: figure(0.5, 1), costUsd: figure(0, 1), latencyMs: figure(1, 2) }), { nil: undefined }),
  })
  .map(({ cost, tokens, kept, experience, ...figures }): Omit<Drawn, "offer"> & { readonly figures: typeof figures } => ({
    figures,
    attempt: { cost, tokens, calls: 1 },
    keep: { cost: Number.isFinite(cost) ? cost * kept : 30, tokens: tokens * kept, calls: 1 },
    experience,
  }));

const made = fc.array(drawn, { minLength: 1, maxLength: 6 }).map((all) =>
  all.map(
    ({ figures, attempt, keep, experience }, i): Drawn => ({
      offer: { ...figures, ref: { kind: "tool", id: `t${i}` }, name: `t${i}`, attempt: () => attempt, keep: () => keep },
      attempt,
      keep,
      experience,
    }),
  ),
);
const limits: fc.Arbitrary<Limits> = fc.record({
  cost: figure(5, 10, 30, Number.POSITIVE_INFINITY),
  latency: figure(500, 10_000, Number.POSITIVE_INFINITY),
});
const room = fc.record({ cost: figure(0, 10, 25, 1000), tokens: figure(0, 100, 1000), calls: figure(0, 1, 5) });

const payable = (uses: Uses, left: Uses): boolean => uses.cost <= left.cost && uses.tokens <= left.tokens && uses.calls <= left.calls;
const shortOf =
  (left: Uses) =>
  (uses: () => Uses): Lack | undefined => {
    for (const dimension of ["cost", "tokens", "calls"] as const)
      if (uses()[dimension] > left[dimension])
        return { account: { path: "main" }, dimension, needed: uses()[dimension], left: left[dimension] };
    return undefined;
  };

/** Whether the rule puts one before the other, written out once more. */
function before(a: Drawn, b: Drawn): boolean {
  const keys = ({ offer, attempt }: Drawn): readonly number[] => [offer.preference, -offer.quality, attempt.cost, offer.latency];
  const told = ({ experience }: Drawn): readonly number[] =>
    experience === undefined ? [] : [-experience.success, experience.costUsd, experience.latencyMs];
  const pairs = [
    ...keys(a).map((key, i) => [key, keys(b)[i] ?? 0] as const),
    ...(a.experience !== undefined && b.experience !== undefined ? told(a).map((key, i) => [key, told(b)[i] ?? 0] as const) : []),
  ];
  for (const [x, y] of pairs) if (x !== y) return x < y;
  return false;
}

describe("a choice", () => {
  test("fits the limits and what is left, and nothing that does comes before it", () => {
    fc.assert(
      fc.property(made, limits, room, (all, wanted, left) => {
        const { chosen, reasons } = choose(
          all.map((each) => each.offer),
          wanted,
          shortOf(left),
          (offer) => all.find((each) => each.offer === offer)?.experience,
        );
        expect(reasons).toHaveLength(all.length);
        const fits = all.filter(({ offer, attempt }) => attempt.cost <= wanted.cost && offer.latency <= wanted.latency);
        const taken = all.find(({ offer }) => offer === chosen);
        if (fits.length === 0) {
          expect(taken).toBeUndefined();
          return;
        }
        if (taken === undefined) throw new Error("nothing was chosen");
        expect(fits).toContain(taken);
        const paid = fits.filter(({ attempt }) => payable(attempt, left));
        if (paid.length > 0) {
          expect(paid).toContain(taken);
          expect(paid.filter((other) => before(other, taken))).toEqual([]);
          return;
        }
        // Nothing can be paid in full: the cheapest of those that can be begun, or of all.
        const begun = fits.filter(({ keep }) => payable(keep, left));
        const among = begun.length > 0 ? begun : fits;
        expect(among).toContain(taken);
        expect(Math.min(...among.map(({ attempt }) => attempt.cost))).toBe(taken.attempt.cost);
      }),
      { numRuns: 2000 },
    );
  });

  test("does not depend on the order of the source where the order of the choice decides", () => {
    fc.assert(
      fc.property(made, limits, room, (all, wanted, left) => {
        const offers = all.map((each) => each.offer);
        const [first, second] = [choose(offers, wanted, shortOf(left)).chosen, choose([...offers].reverse(), wanted, shortOf(left)).chosen];
        const key = (offer: Offer | undefined) => offer && [offer.preference, offer.quality, offer.attempt().cost, offer.latency];
        expect(payable(first?.attempt() ?? { cost: 0, tokens: 0, calls: 0 }, left) ? key(first) : first?.attempt().cost).toEqual(
          payable(second?.attempt() ?? { cost: 0, tokens: 0, calls: 0 }, left) ? key(second) : second?.attempt().cost,
        );
      }),
    );
  });

  test("asks for figures only where they decide", () => {
    const never = (): Uses => {
      throw new Error("asked");
    };
    const offer = (name: string, quality: number): Offer => ({
      ref: { kind: "tool", id: name },
      name,
      preference: Number.POSITIVE_INFINITY,
      quality,
      latency: 1,
      attempt: never,
      keep: never,
    });
    const open: Limits = { cost: Number.POSITIVE_INFINITY, latency: Number.POSITIVE_INFINITY };
    expect(choose([offer("a", 0.1), offer("b", 0.9)], open, () => undefined).chosen?.name).toBe("b");
  });
});

const HEAD = `
model big { provider: "sim", name: "big", price: { input: $3.00, output: $15.00 }, context: 200k, max_output: 1k, token_factor: 1, overhead: 0 }
model small { provider: "sim", name: "small", price: { input: $0.10, output: $0.40 }, context: 200k, max_output: 500, token_factor: 1, overhead: 0 }
capability Look(x: string) -> string
@latency(500ms) @quality(30%)
tool quick(x: string) -> string implements Look = module("./t.ts")
@timeout(20s) @quality(90%)
agent Deep(x: string) -> string implements Look { model: big, repairs: 0, prompt: "{{x}}" }
@timeout(10s) @quality(60%)
agent Plain(x: string) -> string implements Look { model: small, repairs: 0, prompt: "{{x}}" }
`;

function graphOf(source: string, more: Readonly<Record<string, string>> = {}): Graph {
  const sources = new Map([["main.weave", source], ...Object.entries(more)]);
  const { graph, problems, files } = compile("main.weave", fileHost(sources));
  if (graph === undefined) throw new Error(renderProblems(problems, files));
  return graph;
}

const answering: NonNullable<f.Running["provider"]> = {
  name: "fake",
  simulated: false,
  timed: false,
  ask: (request) =>
    Promise.resolve({ text: `by ${request.agent}`, toolCalls: [], usage: { inputTokens: 20, outputTokens: 10 }, finish: "stop" }),
};
const tools = { quick: () => "by quick", other: () => "by other", third: () => "by third" };

async function ran(source: string, running: f.Running = {}, more: Readonly<Record<string, string>> = {}) {
  const graph = graphOf(source, more);
  const byName: NonNullable<f.Running["tools"]> = { ...tools, ...running.tools };
  const named = Object.fromEntries(
    Object.values(graph.tools).flatMap((tool) => {
      const found = byName[tool.name];
      return found === undefined ? [] : [[tool.id, found]];
    }),
  );
  return f.finish(graph, { provider: answering, ...running, tools: named });
}
const choices = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.kind === "choice" && event.of === "capability" ? [event] : []));

describe("a call of a capability", () => {
  test.each<[string, string, string]>([
    ["takes the best", "Look(x)", "by Deep"],
    ["within @max_cost", "@max_cost($0.01) Look(x)", "by Plain"],
    ["within @max_latency", "@max_latency(1s) Look(x)", "by quick"],
    ["prefers an implementation", "@prefer(quick) Look(x)", "by quick"],
    ["prefers a model", "@prefer(small) Look(x)", "by Plain"],
    ["prefers the first of several", "@prefer(quick, big) Look(x)", "by quick"],
    ["prefers only what fits", "@prefer(Deep) @max_latency(15s) Look(x)", "by Plain"],
    ["takes what a budget can still pay", "@budget($0.01) Look(x)", "by Plain"],
    ["takes what is left of calls", "@budget($1.00, calls: 1) Look(x)", "by Deep"],
    ["takes what is left of tokens", "@budget(tokens: 600) Look(x)", "by Plain"],
    ["takes what costs nothing when nothing is left", "@budget($0.00001) Look(x)", "by quick"],
    ["can be piped into", "x |> Look", "by Deep"],
    ["can be a fallback", "@fallback(Look) broken(x)", "by Deep"],
    ["can be an argument", "twice(Look, x)", "by Deep"],
  ])("%s", async (_, call, found) => {
    const broken =
      'tool broken(x: string) -> string = module("./t.ts")\nflow twice(f: (string) -> string, x: string) -> string { f(f(x)) }';
    const { result, events } = await ran(`${HEAD}${broken}\nflow main(x: string) -> string { ${call} }`, {
      inputs: { x: "hello" },
      tools: {
        broken: () => {
          throw new Error("broken");
        },
      },
    });
    expect([result.problems, result.value]).toEqual([[], found]);
    expect(choices(events).length).toBeGreaterThan(0);
  });

  test("is decided by the size of what it is called with", async () => {
    const { result } = await ran(`${HEAD}flow main(xs: string[]) -> string[] { map x in xs { @max_cost($0.018) Look(x) } }`, {
      inputs: { xs: ["short", "long ".repeat(400)] },
    });
    expect(result.value).toEqual(["by Deep", "by Plain"]);
  });

  test("spends nothing that is kept back for what must follow", async () => {
    const source = (budget: string) => `${HEAD}agent Tell(x: string(..40)) -> string(..40) { model: big, repairs: 0, prompt: "{{x}}" }
      @budget(${budget}) flow main(x: string(..10)) -> string {
        let found = Look(x)
        Tell(truncate(found, 40))
      }`;
    const chosen = async (budget: string) => {
      const { result, events } = await ran(source(budget), { inputs: { x: "hello" } });
      expect(result.status).toBe("completed");
      return choices(events).map((event) => event.chosen);
    };
    // Deep and Tell cost at most about $0.016 each: with less than both, the dearer choice would eat what Tell needs.
    expect(await chosen("$0.05")).toEqual(["Deep"]);
    expect(await chosen("$0.025")).toEqual(["Plain"]);
    expect(await chosen("$0.0157")).toEqual(["quick"]);
  });

  test("tells what was chosen, and what speaks against the others", async () => {
    const { events } = await ran(`${HEAD}@budget($0.01)\nflow main(x: string) -> string { @max_latency(15s) Look(x) }`, {
      inputs: { x: "hello" },
    });
    expect(choices(events)).toMatchObject([
      {
        path: "main/Look",
        chosen: "Plain",
        candidates: [
          { name: "Deep", fits: false, why: "`Deep` may take 20s, 15s are allowed" },
          { name: "Plain", fits: true, why: "it has the best quality, 60 %" },
          { name: "quick", fits: true, why: "fits too, and comes later" },
        ],
      },
    ]);
    expect(why(events, "main/Look")).toEqual([
      "It ran because nothing was known of it.",
      "It chose Plain: it has the best quality, 60 %.",
      "Not Deep: it may take 20s, 15s are allowed.",
      "quick fits too, and comes later.",
      "It completed after 1 attempt.",
    ]);
  });

  test("fails where what it is called with is too large for every implementation", async () => {
    const { result } = await ran(
      `${HEAD.replace(/@latency[^\n]*\n[^\n]*\n/, "")}flow main(x: string) -> string { try { @max_cost($0.001) Look(x) } recover err { "{{err.kind}}: {{err.message}}" } }`,
      { inputs: { x: "long ".repeat(4000) } },
    );
    expect(result.value).toBe(
      "assertion: no implementation of Look fits this call: `Deep` may cost $0.076, $0.0010 are allowed; `Plain` may cost $0.0023, $0.0010 are allowed",
    );
  });

  test("goes on with the next choice when a retry finds less left", async () => {
    let tries = 0;
    const { result, events } = await ran(
      `${HEAD}@budget($0.017)\nflow main(x: string) -> string { @retry(1, backoff: 1s, on: ["unavailable"]) Look(x) }`,
      {
        inputs: { x: "hello" },
        provider: {
          ...answering,
          ask: (request) => {
            tries++;
            return tries === 1
              ? Promise.reject(Object.assign(new Error("gone"), { kind: "unavailable" }))
              : answering.ask(request, {} as never);
          },
        },
      },
    );
    expect(choices(events).map(({ path, chosen }) => [path, chosen])).toEqual([
      ["main/Look", "Deep"],
      ["main/Look~2", "Plain"],
    ]);
    expect(result.value).toBe("by Plain");
  });

  test("takes between equals what did better in earlier runs, else the first", async () => {
    const equal = `capability Look(x: string) -> string
tool quick(x: string) -> string implements Look = module("./t.ts")
tool other(x: string) -> string implements Look = module("./t.ts")
flow main(x: string) -> string { Look(x) }`;
    expect((await ran(equal, { inputs: { x: "a" } })).result.value).toBe("by quick");
    const graph = graphOf(equal);
    const id = (name: string): string => Object.values(graph.tools).find((tool) => tool.name === name)?.id ?? "";
    const experiences = new Map<string, Experience>([
      [id("quick"), { success: 0.5, costUsd: 0, latencyMs: 1 }],
      [id("other"), { success: 0.98, costUsd: 0, latencyMs: 900 }],
    ]);
    const { result, events } = await ran(equal, { inputs: { x: "a" }, options: { experiences } });
    expect(result.value).toBe("by other");
    expect(choices(events)[0]?.candidates?.[0]).toEqual({
      name: "other",
      fits: true,
      why: "it succeeded more often in earlier runs, 98 % of the time",
    });
  });

  test("finds implementations in every file that is imported, with parameters of their own and wider results", async () => {
    const files = {
      "look.weave": "capability Look(x: string) -> { text: string }\n",
      "deep.weave": 'import { helper } from "./deeper.weave"\nflow unused(x: string) -> string { helper(x) }\n',
      "deeper.weave": `import { Look } from "./look.weave"
flow helper(x: string) -> string { x }
tool quick(x: string, times: int = 3) -> { text: string, more: int } implements Look = module("./t.ts")
`,
    };
    const { result } = await ran(
      'import { Look } from "./look.weave"\nimport { unused } from "./deep.weave"\nflow main(x: string) -> { text: string } { Look(unused(x)) }',
      { inputs: { x: "a" }, tools: { quick: ({ x, times }) => ({ text: `${String(x)} ${String(times)}`, more: 1 }) } },
      files,
    );
    expect([result.problems.map((problem) => problem.title), result.value]).toEqual([[], { text: "a 3" }]);
  });

  test("among the tools of an agent calls what is chosen", async () => {
    let turns = 0;
    const { result, events } = await ran(
      `${HEAD}agent Ask(x: string) -> string { model: small, tools: [Look], prompt: "{{x}}" }\nflow main(x: string) -> string { Ask(x) }`,
      {
        inputs: { x: "a" },
        provider: {
          ...answering,
          ask: (request) => {
            if (request.agent !== "Ask" || turns++ > 0) return answering.ask(request, {} as never);
            expect(request.tools.map((tool) => tool.name)).toEqual(["Look"]);
            const usage = { inputTokens: 1, outputTokens: 1 };
            return Promise.resolve({ text: "", toolCalls: [{ id: "1", name: "Look", arguments: { x: "b" } }], usage, finish: "tools" });
          },
        },
      },
    );
    expect([result.value, choices(events).map((event) => event.path)]).toEqual(["by Ask", ["main/Ask/Look"]]);
  });
});
