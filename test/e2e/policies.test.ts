/** Each policy in a program as a user writes it, through the real command line, with tools that misbehave on purpose. */
import { describe, expect, test } from "vitest";
import { type FailureKind, failureKinds } from "../../src/runtime/failure.js";
import { project, weave } from "../support/cli.js";

const TOOLS = `let calls = 0;
let open = 0;
let most = 0;
const at: number[] = [];
const fail = (kind: string, more: object = {}) => Object.assign(new Error("not now"), { kind, ...more });
const wait = (ms: number, signal?: AbortSignal) => new Promise<void>((done, stop) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); stop(new Error("stopped")); });
});
export function flaky({ n }: { n: number }) { calls++; if (calls <= n) throw fail("overloaded"); return calls; }
export function told({ n }: { n: number }) { at.push(Date.now()); if (at.length <= n) throw fail("rate_limit", { retryAfterMs: 150 }); return (at[1] ?? 0) - (at[0] ?? 0); }
export function down() { calls++; throw fail("unavailable"); }
export function broken() { throw new Error("for good"); }
export function made() { return calls; }
export async function slow({ ms }: { ms: number }, { signal }: { signal: AbortSignal }) { calls++; await wait(ms, signal); return calls; }
export async function eager(_: object, { signal }: { signal: AbortSignal }) { calls++; const mine = calls; await wait(mine === 1 ? 5000 : 5, signal); return mine; }
export async function alone({ n }: { n: number }) { open++; most = Math.max(most, open); await wait(5); open--; return most; }
export function stamp() { return Date.now(); }
export function order() { calls++; return calls; }
export async function once({ n }: { n: number }) { calls++; return calls; }
`;

async function run(program: string, ...args: string[]) {
  const cwd = project({ "a.weave": program, "tools.ts": TOOLS });
  const { code, out, err } = await weave(["run", "a.weave", "--events", ...args], { cwd });
  expect(err).not.toMatch(/\n\s+at /);
  const events = out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).event);
  const kinds = events.map((event) => event.kind as string);
  return { code, err, events, kinds, value: events.at(-1)?.value, of: (kind: string) => kinds.filter((each) => each === kind).length };
}

const tool = (name: string, params: string, more = ""): string => `${more} tool ${name}(${params}) -> int = module("./tools.ts")\n`;

describe("@retry", () => {
  test("tries again what may pass, and tells each attempt", async () => {
    const ended = await run(`${tool("flaky", "n: int", "@retry(3, backoff: 1ms)")}flow main() -> int { flaky(2) }\n`);
    expect(ended).toMatchObject({ code: 0, value: 3 });
    expect([ended.of("call.attempt_failed"), ended.of("call.retried")]).toEqual([2, 2]);
  });

  test("never asks before the other side said", async () => {
    const ended = await run(`${tool("told", "n: int", "@retry(2, backoff: 1ms)")}flow main() -> int { told(1) }\n`);
    expect(ended.code).toBe(0);
    expect(ended.value).toBeGreaterThanOrEqual(149);
  });

  test("gives up after its attempts, with the path, the kind and the count", async () => {
    const ended = await run(`${tool("flaky", "n: int", "@retry(1, backoff: 1ms)")}flow main() -> int { flaky(9) }\n`);
    expect(ended.code).toBe(1);
    expect(ended.err).toContain("overloaded in main/flaky (2 attempts): not now");
  });

  test("leaves what cannot pass alone", async () => {
    const ended = await run(`${tool("broken", "", "@retry(3, backoff: 1ms)")}flow main() -> int { broken() }\n`);
    expect([ended.code, ended.of("call.retried")]).toEqual([1, 0]);
  });
});

describe("other policies", () => {
  test("@timeout aborts an attempt", async () => {
    const ended = await run(`${tool("slow", "ms: int", "@timeout(50ms)")}flow main() -> int { slow(60_000) }\n`);
    expect(ended.code).toBe(1);
    expect(ended.err).toContain("timeout in main/slow: no answer within 50ms");
  });

  test("@fallback takes over after the last attempt", async () => {
    const ended = await run(
      `${tool("once", "n: int")}${tool("flaky", "n: int", "@retry(1, backoff: 1ms) @fallback(once)")}flow main() -> int { flaky(9) }\n`,
    );
    expect(ended).toMatchObject({ code: 0, value: 3 });
    expect(ended.events.find((event) => event.kind === "call.fell_back")).toMatchObject({ to: "once", failure: { kind: "overloaded" } });
  });

  test("@breaker calls no more after its failures", async () => {
    const ended = await run(
      `${tool("down", "", "@breaker(failures: 2, window: 60s, cooldown: 60s)")}${tool("made", "")}flow main() -> int {
  let all = @parallel(1) settle map i in range(6) { down() }
  assert len(all.ok) == 0
  @after(all) made()
}
`,
    );
    expect(ended).toMatchObject({ code: 0, value: 2 });
    expect(ended.of("breaker.opened")).toBe(1);
  });

  test("@hedge starts another attempt of a slow call, and the first answer wins", async () => {
    const ended = await run(`${tool("eager", "", "@hedge(after: 50ms)")}flow main() -> int { eager() }\n`);
    expect(ended).toMatchObject({ code: 0, value: 2 });
    expect(ended.of("call.hedged")).toBe(1);
  });

  test("@lock lets one in at a time, @parallel so many", async () => {
    const flow = (mark: string, on: string): string =>
      `${tool("alone", "n: int", mark)}flow main() -> int { (${on} map n in range(9) { alone(n) }) |> max ?? 0 }\n`;
    expect((await run(flow('@lock("one")', ""))).value).toBe(1);
    expect((await run(flow("", "@parallel(3)"))).value).toBe(3);
  });

  test("@cache calls once for equal inputs, a race takes the first success, @min_success drops what failed", async () => {
    expect((await run(`${tool("once", "n: int", "@cache(1h)")}flow main() -> int[] { map n in [1, 1, 1] { once(n) } }\n`)).value).toEqual([
      1, 1, 1,
    ]);
    const race = `${tool("slow", "ms: int")}${tool("broken", "")}flow main() -> int { race { broken(), slow(5), slow(60_000) } }\n`;
    expect((await run(race)).code).toBe(0);
    const share = `${tool("flaky", "n: int")}flow main() -> int { @parallel(1) @min_success(50%) map n in range(4) { flaky(2) } |> len }\n`;
    expect(await run(share)).toMatchObject({ code: 0, value: 2 });
  });

  test("@budget ends a run, with exit code 4", async () => {
    const program = `${tool("flaky", "n: int", "@retry(9, backoff: 1ms)")}@budget(calls: 3) flow main() -> int { flaky(9) }\n`;
    const ended = await run(program);
    expect(ended.code).toBe(4);
    expect(ended.err).toContain("budget_exceeded");
    expect(ended.of("call.attempt_failed")).toBe(3);
  });

  test("@rate lets no more start in any second than it says", async () => {
    const program = `${tool("stamp", "n: int", "@rate(20/s)")}flow main() -> int[] { map n in range(25) { stamp(n) } }\n`;
    const ended = await run(program);
    expect(ended.code).toBe(0);
    const starts = [...(ended.value as number[])].sort((a, b) => a - b);
    // The 21st may start only a whole second after the first; a millisecond for the rounding of two clocks.
    expect((starts[20] ?? 0) - (starts[0] ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test("@priority goes first where a limit is full", async () => {
    const calls = `tool stamp(n: int) -> int = module("./tools.ts")
@parallel(1) flow main() -> { first: int, low: int, urgent: int } {
  fork { first: slow(40), low: @priority("low") order(1), urgent: @priority("urgent") order(2) }
}
`;
    const ended = await run(`${tool("slow", "ms: int")}${tool("order", "n: int")}${calls}`);
    expect(ended.code).toBe(0);
    expect(ended.value.urgent).toBeLessThan(ended.value.low);
  });

  test("a person who does not agree ends the call as denied, and it is not tried again", async () => {
    const program = `@approve("sure?") effect tool once(n: int) -> int = module("./tools.ts")\nflow main() -> int { once(1) }\n`;
    const cwd = project({ "a.weave": program, "tools.ts": TOOLS });
    const asked = await weave(["run", "a.weave"], { cwd });
    expect(asked.code).toBe(5);
    const { out } = await weave(["runs", "--json"], { cwd });
    const run = /"run":\s*"([^"]+)"/.exec(out)?.[1] ?? "";
    expect((await weave(["answer", run, "false"], { cwd })).code).toBe(0);
    const ended = await weave(["resume", "--events"], { cwd });
    expect(ended.err).toContain("denied in main/once");
    expect([ended.code, ended.out.includes("call.retried")]).toEqual([1, false]);
  });

  test("what needs a failed item is skipped", async () => {
    const program = `${tool("flaky", "n: int")}flow main() -> string[] {
  let s = settle map t in [{ id: "a", needs: [] }, { id: "b", needs: ["a"] }] by t.id after t.needs { flaky(9) }
  map f in s.failed { "{{f.key}} {{f.error.kind}}" }
}
`;
    expect(await run(program)).toMatchObject({ code: 0, value: ["a overloaded", "b skipped"] });
  });

  test("a policy bundle is its annotations, and one at a call replaces that of the declaration", async () => {
    const program = `policy careful { @retry(5, backoff: 1ms) }
${tool("flaky", "n: int", "@careful")}flow main() -> int { flaky(4) }
flow once() -> int { @retry(1, backoff: 1ms) flaky(4) }
`;
    expect(await run(program)).toMatchObject({ code: 0, value: 5 });
    expect((await run(program, "once")).code).toBe(1);
  });
});

describe("failures of models, drawn by the simulator", () => {
  const program = `model small { provider: "sim", name: "small" }
@retry(8, backoff: 1ms) agent Say(n: int) -> string(..40) { model: small, prompt: "{{n}}" }
flow main() -> string[] { map n in range(20) { Say(n) } }
flow bare() -> string[] { @parallel(4) map n in range(20) { @retry(0) Say(n) } }
`;

  test.each(["rate_limit", "overloaded", "unavailable", "timeout"])("%s is ridden out by @retry", async (kind) => {
    const ended = await run(program, "--sim-faults", `${kind}:20%`, "--seed", "3");
    expect(ended.code).toBe(0);
    expect(ended.events.filter((event) => event.kind === "call.attempt_failed").every((event) => event.failure.kind === kind)).toBe(true);
    expect(ended.of("call.retried")).toBeGreaterThan(0);
  });

  test.each(["auth", "refused", "context_too_long"])("%s is not tried again", async (kind) => {
    const ended = await run(program, "--sim-faults", `${kind}:100%`);
    expect([ended.code, ended.of("call.retried")]).toEqual([1, 0]);
    expect(ended.err).toContain(kind);
  });

  test("a balanced model spreads its requests, a fallback takes over from one that is down", async () => {
    const models = `model one { provider: "sim", name: "one", latency: 20ms }
model two { provider: "sim", name: "two", latency: 20ms }
model pool { balance: [one, two] }
agent Say(n: int) -> string(..40) { model: pool, prompt: "{{n}}" }
flow main() -> string[] { map n in range(10) { Say(n) } }
`;
    const ended = await run(models);
    expect(ended.code).toBe(0);
    const asked = ended.events.filter((event) => event.kind === "model.requested").map((event) => event.model as string);
    expect(new Set(asked)).toEqual(new Set(["one", "two"]));
    expect(Math.abs(asked.filter((name) => name === "one").length - 5)).toBeLessThanOrEqual(1);
  });

  test("that are all the same permanent one end a fan-out early, told once with the count", async () => {
    const ended = await run(program, "bare", "--sim-faults", "auth:100%");
    expect(ended.code).toBe(1);
    expect(ended.of("call.started")).toBeLessThan(15);
  });
});

describe("every kind of failure", () => {
  const program = `flow raise(kind: FailureKind) -> string { fail(kind, "as told") }
flow main(kinds: FailureKind[]) -> string[] { map kind in kinds { try raise(kind) recover err { "{{err.kind}}: {{err.message}}" } } }
`;

  test("is raised by a program and seen by recover, which never sees a cancellation", async () => {
    const kinds = failureKinds.filter((kind) => kind !== "cancelled");
    const ended = await run(program, "--kinds", JSON.stringify(kinds));
    expect(ended).toMatchObject({ code: 0, value: kinds.map((kind) => `${kind}: as told`) });
    expect((await run(program, "--kinds", '["cancelled"]')).code).toBe(130);
  });

  test.each<[FailureKind, number]>([
    ["plan_rejected", 1],
    ["tool_error", 1],
    ["budget_exceeded", 4],
    ["cancelled", 130],
  ])("%s that nobody handles ends the run, with exit code %i", async (kind, code) => {
    const ended = await run(program, "raise", "--kind", kind);
    expect(ended.code).toBe(code);
    if (code !== 130) expect(ended.err).toContain(`${kind} in raise: as told`);
  });

  test("of a tool that gave up by itself is one of the tool, not a cancellation of the run", async () => {
    const cwd = project({
      "a.weave":
        'tool give_up() -> string = module("./t.ts")\nflow main() -> string { try give_up() recover err { "{{err.kind}}: {{err.message}}" } }\n',
      "t.ts": 'export function give_up() { throw new DOMException("I gave up", "AbortError"); }\n',
    });
    expect(await weave(["run", "a.weave"], { cwd })).toMatchObject({ code: 0, out: "tool_error: I gave up\n" });
  });
});
