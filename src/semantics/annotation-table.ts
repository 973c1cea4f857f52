/**
 * Every annotation of the language, once: where it may stand, what it takes, and how it is written. The checker, the
 * lowering and the editor read this table; a new annotation is a new row (and its meaning in the runtime).
 */

/** What an annotation can stand before. `scope` is a block or any other expression, `bundle` the braces of a policy. */
export type TargetKind =
  | "agent"
  | "tool"
  | "flow"
  | "capability"
  | "compose"
  | "on"
  | "type"
  | "model"
  | "mcp"
  | "policy"
  | "bundle"
  | "builtin"
  | "let"
  | "state"
  | "channel"
  | "test"
  | "param"
  | "field"
  | "call"
  | "stage"
  | "map"
  | "fork"
  | "race"
  | "vote"
  | "loop"
  | "reduce"
  | "try"
  | "if"
  | "match"
  | "scope"
  | "ask"
  | "send"
  | "orchestrate";

/** How a target is named in a message. */
export const targetName: Readonly<Record<TargetKind, string>> = {
  agent: "an agent",
  tool: "a tool",
  flow: "a flow",
  capability: "a capability",
  compose: "a compose",
  on: "a handler",
  type: "a type",
  model: "a model",
  mcp: "an MCP server",
  policy: "a policy",
  bundle: "a policy",
  builtin: "a call of a built-in function",
  let: "a constant",
  state: "a state",
  channel: "a channel",
  test: "a test",
  param: "a parameter",
  field: "a field",
  call: "a call",
  stage: "a call",
  map: "a map",
  fork: "a fork",
  race: "a race",
  vote: "a vote",
  loop: "a loop",
  reduce: "a reduce",
  try: "a try",
  if: "an if",
  match: "a match",
  scope: "a block",
  ask: "a question",
  send: "a message",
  orchestrate: "an orchestration",
};

export type ArgumentKind =
  /** A whole number of at least `min`. */
  | { readonly kind: "count"; readonly min: number /** Must have an upper end that is known. */; readonly bounded?: boolean }
  | { readonly kind: "float"; readonly min: number }
  /** 0 to 1, or a percentage. */
  | { readonly kind: "share" }
  | { readonly kind: "shareOrCount" }
  | { readonly kind: "duration" | "money" | "rate" | "bool" | "text" }
  | { readonly kind: "choice"; readonly of: readonly string[] }
  /** A list of failure kinds. */
  | { readonly kind: "failures" }
  | { readonly kind: "callable"; readonly role: "fallback" | "undo" | "resolve" }
  /** The name of a value above in the same body. */
  | { readonly kind: "earlier" }
  /** The name of a model or of an implementation. */
  | { readonly kind: "candidate" };

export interface ArgumentSpec {
  readonly name: string;
  readonly value: ArgumentKind;
  readonly required?: boolean;
  /** Only by name: positional arguments skip it. */
  readonly named?: boolean;
  /** Any number of further positional arguments of this kind. */
  readonly rest?: boolean;
}

export interface AnnotationSpec {
  readonly targets: ReadonlySet<TargetKind>;
  /** Where it belongs, after "It stands before". */
  readonly place: string;
  /** How it is written. */
  readonly form: string;
  readonly args: readonly ArgumentSpec[];
  /** At least one argument of any name. */
  readonly some?: boolean;
}

const CALLABLES: readonly TargetKind[] = ["agent", "tool", "flow", "capability", "compose"];
const CALLS: readonly TargetKind[] = ["call", "stage"];
const REGIONS: readonly TargetKind[] = ["map", "fork", "race", "vote", "loop", "reduce", "try", "if", "match", "scope", "orchestrate"];
const RUNS: readonly TargetKind[] = [...CALLABLES, "on", ...CALLS, ...REGIONS];

const RUNS_PLACE = "an agent, tool, flow or handler, a call, a region or a block";
const CALLS_PLACE = "an agent, tool, flow, capability or compose, or a call";

const count = (min: number): ArgumentKind => ({ kind: "count", min });
const required = (name: string, value: ArgumentKind): ArgumentSpec => ({ name, value, required: true });
const byName = (name: string, value: ArgumentKind): ArgumentSpec => ({ name, value, named: true });

function row(
  targets: readonly TargetKind[],
  place: string,
  form: string,
  args: readonly ArgumentSpec[] = [],
  some = false,
): AnnotationSpec {
  return { targets: new Set(targets), place, form, args, ...(some ? { some } : {}) };
}

const DURATION: ArgumentKind = { kind: "duration" };
const MONEY: ArgumentKind = { kind: "money" };
const SHARE: ArgumentKind = { kind: "share" };
const TEXT: ArgumentKind = { kind: "text" };

const table: Readonly<Record<string, AnnotationSpec>> = {
  retry: row(RUNS, RUNS_PLACE, '@retry(3, backoff: 1s, factor: 2, max: 60s, jitter: true, on: ["timeout"])', [
    required("n", { kind: "count", min: 0, bounded: true }),
    byName("backoff", DURATION),
    byName("factor", { kind: "float", min: 1 }),
    byName("max", DURATION),
    byName("jitter", { kind: "bool" }),
    byName("on", { kind: "failures" }),
  ]),
  timeout: row(RUNS, RUNS_PLACE, "@timeout(30s)", [required("after", DURATION)]),
  budget: row(
    RUNS,
    RUNS_PLACE,
    "@budget($2.00, tokens: 100k, calls: 50, time: 10m)",
    [{ name: "cost", value: MONEY }, byName("tokens", count(0)), byName("calls", count(0)), byName("time", DURATION)],
    true,
  ),
  reserve: row(RUNS, RUNS_PLACE, "@reserve($0.20)", [required("cost", MONEY)]),
  parallel: row(["flow", "compose", "on", ...CALLS, ...REGIONS], "a flow, a region such as a map, or a block", "@parallel(10)", [
    required("max", { kind: "count", min: 1, bounded: true }),
  ]),
  min_success: row(["map", "fork", "vote"], "a map, a fork or a vote", "@min_success(80%)", [required("value", { kind: "shareOrCount" })]),
  fallback: row([...CALLABLES, ...CALLS], CALLS_PLACE, "@fallback(Other)", [
    { ...required("callable", { kind: "callable", role: "fallback" }), rest: true },
  ]),
  breaker: row(
    [...CALLABLES, "model", ...CALLS],
    "an agent, tool, flow or model, or a call",
    "@breaker(failures: 5, window: 60s, cooldown: 30s)",
    [
      { name: "failures", value: count(1) },
      { name: "window", value: DURATION },
      { name: "cooldown", value: DURATION },
    ],
  ),
  rate: row([...CALLABLES, "model", "mcp", ...CALLS], "an agent, tool, flow or model, or a call", "@rate(10/s)", [
    required("rate", { kind: "rate" }),
  ]),
  priority: row(RUNS, RUNS_PLACE, '@priority("high")', [required("level", { kind: "choice", of: ["low", "normal", "high", "urgent"] })]),
  cache: row([...CALLABLES, ...CALLS], CALLS_PLACE, "@cache(1h)", [required("ttl", DURATION)]),
  compensate: row([...CALLABLES, ...CALLS], CALLS_PLACE, "@compensate(undo)", [required("undo", { kind: "callable", role: "undo" })]),
  idempotent: row(["tool", ...CALLS], "an effect tool or a call of one", '@idempotent(key: "{{id}}")', [{ name: "key", value: TEXT }]),
  lock: row(RUNS, RUNS_PLACE, '@lock("name-{{x}}", scope: "run")', [
    required("name", TEXT),
    byName("scope", { kind: "choice", of: ["run", "global"] }),
  ]),
  isolate: row(RUNS, RUNS_PLACE, '@isolate("worktree", resolve: combine)', [
    required("mode", { kind: "choice", of: ["worktree"] }),
    byName("resolve", { kind: "callable", role: "resolve" }),
  ]),
  approve: row(
    [...CALLABLES, ...CALLS, ...REGIONS],
    "an effect tool, an agent or flow with effects, a call or a block",
    '@approve("why")',
    [required("why", TEXT)],
  ),
  hedge: row([...CALLABLES, ...CALLS], CALLS_PLACE, "@hedge(after: 2s)", [required("after", DURATION)]),
  after: row([...CALLS, ...REGIONS, "ask", "send"], "a call, a region or a block inside a body", "@after(x)", [
    { ...required("x", { kind: "earlier" }), rest: true },
  ]),
  cost: row(["tool"], "a tool", "@cost($0.01)", [required("cost", MONEY)]),
  latency: row(["tool", "agent", "flow", "compose"], "a tool, agent or flow", "@latency(500ms)", [required("latency", DURATION)]),
  quality: row(["tool", "agent", "flow", "compose"], "a tool, agent or flow that implements a capability", "@quality(80%)", [
    required("quality", SHARE),
  ]),
  max_cost: row(["capability", ...CALLS], "a capability or a call of one", "@max_cost($0.05)", [required("cost", MONEY)]),
  max_latency: row(["capability", ...CALLS], "a capability or a call of one", "@max_latency(30s)", [required("latency", DURATION)]),
  prefer: row(["capability", ...CALLS], "a capability or a call of one", "@prefer(sonnet)", [
    { ...required("x", { kind: "candidate" }), rest: true },
  ]),
  reads: row(["tool"], "a tool", "@reads"),
  untrusted: row(["tool"], "a tool", "@untrusted"),
  redact: row(["param", "field"], "a parameter or a field of a type", "@redact"),
};

export const annotationTable: ReadonlyMap<string, AnnotationSpec> = new Map(Object.entries(table));

/** Annotations that mean something only before a call of a capability. */
export const SELECTION: ReadonlySet<string> = new Set(["max_cost", "max_latency", "prefer"]);

/** What other tools call these annotations. */
export const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    retries: "retry",
    attempts: "retry",
    rate_limit: "rate",
    rateLimit: "rate",
    throttle: "rate",
    concurrency: "parallel",
    max_concurrency: "parallel",
    maxConcurrency: "parallel",
    circuit_breaker: "breaker",
    circuitBreaker: "breaker",
    approval: "approve",
    confirm: "approve",
    rollback: "compensate",
    undo: "compensate",
    worktree: "isolate",
    mutex: "lock",
    memoize: "cache",
    deadline: "timeout",
    max_budget: "budget",
  }),
);
