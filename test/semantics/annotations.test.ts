import { describe, expect, test } from "vitest";
import { annotationTable } from "../../src/semantics/annotation-table.js";
import { codes, problem } from "./program.js";

const BASE = `
model m { provider: "sim" }
agent A(x: string) -> string { model: m, prompt: "{{x}}" }
agent B(x: string) -> string { model: m, prompt: "{{x}}" }
agent Other(n: int) -> string { model: m, prompt: "{{n}}" }
effect tool pay(to: string) -> int = module("./t.ts")
@idempotent(key: "{{to}}") effect tool safe(to: string) -> int = module("./t.ts")
effect tool refund(id: int) -> null = module("./t.ts")
effect tool refund_by(to: string) -> null = module("./t.ts")
@reads tool look(at: string) -> string = module("./t.ts")
flow buys(to: string) -> int { pay(to) }
`;

/** Problems of the annotations before a call in a flow. */
const onCall = (annotations: string, call = 'A("x")', prefix = "W05"): readonly string[] =>
  codes(`${BASE}flow f(s: string, n: int(1..5), xs: string[..20]) { ${annotations} ${call} }`, prefix);
const messages = (annotations: string, code: string, call = 'A("x")') =>
  problem(`${BASE}flow f(s: string, n: int(1..5), xs: string[..20]) { ${annotations} ${call} }`, code);

describe("right", () => {
  test.each([
    ['@retry(3, backoff: 1s, factor: 2, max: 60s, jitter: true, on: ["timeout", "rate_limit"])', 'A("x")'],
    ["@retry(n)", 'A("x")'],
    ["@timeout(30s) @budget($0.50, tokens: 10k, calls: 5, time: 1m) @reserve($0.10)", 'A("x")'],
    ["@budget(calls: 3)", 'A("x")'],
    ['@fallback(B) @priority("high") @cache(1h) @hedge(after: 2s) @rate(10/s)', 'A("x")'],
    ["@breaker(failures: 3, cooldown: 10s)", 'A("x")'],
    ['@lock("name-{{s}}", scope: "global")', "pay(s)"],
    ['@approve("Pay {{s}}?") @compensate(refund)', "pay(s)"],
    ["@retry(3)", "safe(s)"],
    ['@idempotent(key: "{{s}}") @retry(3)', "pay(s)"],
    ['@isolate("worktree") @retry(2)', "pay(s)"],
    ["@parallel(n) @min_success(80%)", "map x in xs { A(x) }"],
    ["@min_success(3)", "map x in xs { A(x) }"],
    ["@min_success(0.5)", "vote 5 { A(s) }"],
    ["@parallel(4)", "{ A(s) }"],
  ])("%s before %s", (annotations, call) => {
    expect(onCall(annotations, call)).toEqual([]);
  });

  test("on declarations, with their parameters in scope", () => {
    expect(
      codes(
        `${BASE}@retry(n) @timeout(5s) @lock("a-{{x}}") agent C(x: string, n: int(0..3)) -> string { model: m, prompt: "{{x}} {{n}}" }
        @cost($0.01) @latency(20ms) @rate(5/s) tool t(@redact x: string) -> string = module("./t.ts")
        policy careful { @retry(3, backoff: 1s) @timeout(30s) }
        @careful agent D(x: string) -> string { model: m, prompt: "{{x}}" }`,
        "W05",
      ),
    ).toEqual([]);
  });
});

describe("wrong", () => {
  test.each([
    ["@retrry(3)", ["W0501 «retrry»"]],
    ["@min_success(80%)", ["W0502 «@min_success(80%)»"]],
    ["@reads", ["W0502 «@reads»"]],
    ["@timeout(1s) @timeout(2s)", ["W0503 «@timeout(2s)»"]],
    ["@retry", ["W0504 «@retry»"]],
    ["@budget()", ["W0504 «@budget()»"]],
    ["@retry(3, wait: 1s)", ["W0505 «wait»"]],
    ["@retry(3, backoff: 1s, backoff: 2s)", ["W0506 «backoff: 2s»"]],
    ["@timeout(1s, 2s)", ["W0507 «2s»"]],
    ["@timeout(5)", ["W0508 «5»"]],
    ['@retry("3")', ['W0508 «"3"»']],
    ["@budget(2)", ["W0508 «2»"]],
    ["@rate(10)", ["W0508 «10»"]],
    ['@priority("hihg")', ['W0508 «"hihg"»']],
    ["@priority(high)", ["W0508 «high»"]],
    ["@retry(s)", ["W0508 «s»"]],
    ["@retry(80%)", ["W0508 «80%»"]],
    ["@retry(-1)", ["W0509 «-1»"]],
    ["@breaker(failures: 0)", ["W0509 «0»"]],
    ["@retry(len(s))", ["W0510 «len(s)»"]],
    ['@retry(3, on: ["cancelled"])', ['W0512 «"cancelled"»']],
    ["@hedge(after: 1s) @compensate(refund)", ["W0513 «@compensate(refund)»", "W0533 «@compensate(refund)»", "W0516 «refund»"]],
    ["@timeout(2m) @budget($1, time: 1m)", ["W0514 «@timeout(2m)»"]],
    ["@timeout(2s) @hedge(after: 5s)", ["W0514 «@hedge(after: 5s)»"]],
    ["@retry(3, backoff: 5s, max: 1s)", ["W0514 «1s»"]],
    ["@fallback(Other)", ["W0515 «Other»"]],
    ["@max_cost($1)", ["W0523 «@max_cost($1)»"]],
    ["@after(1)", ["W0522 «1»"]],
  ])("%s before a call of an agent", (annotations, expected) => {
    expect(onCall(annotations)).toEqual(expected);
  });

  test.each([
    ["@cache(1h)", "pay(s)", ["W0530 «@cache(1h)»"]],
    ["@hedge(after: 1s)", "pay(s)", ["W0531 «@hedge(after: 1s)»"]],
    ["@retry(3)", "pay(s)", ["W0532 «@retry(3)»"]],
    ["@retry(3)", "buys(s)", ["W0532 «@retry(3)»"]],
    ["@fallback(safe)", "pay(s)", ["W0532 «@fallback(safe)»"]],
    ["@compensate(refund_by)", "pay(s)", ["W0516 «refund_by»"]],
    ["@compensate(refund)", "look(s)", ["W0533 «@compensate(refund)»", "W0516 «refund»"]],
    ['@approve("?")', "look(s)", ['W0533 «@approve("?")»']],
    ["@parallel(0)", "map x in xs { A(x) }", ["W0509 «0»"]],
    ["@min_success(80)", "map x in xs { A(x) }", ["W0518 «80»"]],
    ["@min_success(1.5)", "map x in xs { A(x) }", ["W0509 «1.5»"]],
    ["@retry(2)", "trim(s)", ["W0502 «@retry(2)»"]],
  ])("%s before %s", (annotations, call, expected) => {
    expect(onCall(annotations, call)).toEqual(expected);
  });

  test("an effect cannot only read", () => {
    expect(codes('@reads effect tool t() -> null = module("./t.ts")', "W05")).toEqual(["W0513 «@reads»"]);
  });
});

describe("mends", () => {
  test.each([
    ["@timeout(5)", "W0508", "5s"],
    ['@timeout("2m")', "W0508", "2m"],
    ['@retry("3")', "W0508", "3"],
    ["@retry(3s)", "W0508", "3"],
    ["@budget(2)", "W0508", "$2"],
    ["@rate(10)", "W0508", "10/s"],
    ["@priority(high)", "W0508", '"high"'],
    ["@retrry(3)", "W0501", "retry"],
    ["@retry(3, back_off: 1s)", "W0505", "backoff"],
  ])("%s is mended to %s %s", (annotations, code, text) => {
    expect(messages(annotations, code).fixes[0]?.edits[0]?.text).toBe(text);
  });

  test("a count that no list reaches was a percentage", () => {
    const found = messages("@min_success(80)", "W0518", "map x in xs { A(x) }");
    expect(found.fixes[0]?.edits[0]?.text).toBe("80%");
    expect(found.severity).toBe("note");
  });
});

describe("policies", () => {
  const POLICY = `${BASE}policy careful { @retry(3) @timeout(30s) }\npolicy odd { @min_success(80%) }\n`;

  test("what a bundle holds must fit where it is used", () => {
    expect(codes(`${POLICY}@odd agent C() -> string { model: m, prompt: "x" }`, "W05")).toEqual(["W0520 «@odd»"]);
  });
  test("a bundle of retries on an effect is what it holds", () => {
    expect(codes(`${POLICY}flow f() { @careful pay("x") }`, "W05")).toEqual(["W0532 «@careful»"]);
  });
  test("what is written at the place overrides the bundle", () => {
    expect(codes(`${POLICY}flow f() { @careful @retry(0) pay("x") }`, "W05")).toEqual([]);
  });
  test("a bundle takes no arguments and is close to its name", () => {
    expect(codes(`${POLICY}flow f() { @careful(1) A("x") }`, "W05")).toEqual(["W0521 «@careful(1)»"]);
    expect(codes(`${POLICY}flow f() { @carefull A("x") }`, "W05")).toEqual(["W0501 «carefull»"]);
  });
  test("arguments are checked inside the bundle, once", () => {
    expect(codes(`${BASE}policy p { @timeout(5) }\nflow f() { @p A("x") }\nflow g() { @p A("x") }`, "W05")).toEqual(["W0508 «5»"]);
  });
  test("bundles may hold bundles but not each other", () => {
    expect(codes(`${POLICY}policy more { @careful @rate(1/s) }\n@more agent C() -> string { model: m, prompt: "x" }`, "W05")).toEqual([]);
    expect(codes("policy a { @b }\npolicy b { @a }", "W05")).toEqual(["W0519 «@b»"]);
  });
  test("a policy itself is not annotated", () => {
    expect(codes("@timeout(5s) policy p { @retry(1) }", "W05")).toEqual(["W0502 «@timeout(5s)»"]);
  });
});

test("the form of every annotation is a right use of it", () => {
  for (const [name, spec] of annotationTable) {
    const required = spec.args.filter((a) => a.required === true).length;
    expect(spec.form.startsWith(`@${name}`)).toBe(true);
    expect(spec.form.includes("(")).toBe(spec.args.length > 0 || required > 0);
    expect(spec.targets.size).toBeGreaterThan(0);
  }
});
