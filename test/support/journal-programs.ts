/**
 * Runs whose journals are kept for later versions: together they hold every kind of event that is journaled in a run which
 * can be carried on. Each says how it was run and where it is cut off.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { simulator } from "../../src/host/providers/sim.js";
import { memoryStore } from "../../src/host/store/memory.js";
import type { RunEvent } from "../../src/runtime/events.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { ToolContext, ToolFunction } from "../../src/runtime/tool.js";
import { graphOf, type Otherwise } from "./crashing.js";
import { type DurableProgram, durableHead, durablePrograms } from "./durable-programs.js";

export interface JournalProgram extends DurableProgram {
  readonly tools?: Readonly<Record<string, ToolFunction>>;
  /** How the part that is recorded is run, and how it is carried on. */
  readonly recorded?: Otherwise;
  readonly later?: Otherwise;
  /** What a first part was: the recorded one carries it on as an edited program, or as the same where this is empty. */
  readonly before?: string;
  /** The results of an earlier run of the same are used. */
  readonly reuses?: boolean;
  /** The last event before the cut; where none is named it is cut off before its last commit. */
  readonly cut?: (event: RunEvent) => boolean;
}

const kind =
  (name: RunEvent["kind"]) =>
  (event: RunEvent): boolean =>
    event.kind === name;

/** A person who gives one answer after the other. */
function inTurn(answers: readonly unknown[]): () => Promise<unknown> {
  const left = [...answers];
  return async () => left.shift();
}

/** A model that finds the first request too long, answers badly once, and uses more than it may. */
function unruly(): Provider {
  const sim = simulator();
  let asked = 0;
  return {
    ...sim,
    ask: async () => {
      asked++;
      if (asked === 1) throw Object.assign(new Error("too long"), { kind: "context_too_long", committed: "no" });
      const usage = { inputTokens: asked > 2 ? 50_000 : 10, outputTokens: 5 };
      return { text: asked === 2 ? "no number" : "```\n7,\n```", toolCalls: [], usage, finish: "stop" };
    },
  };
}

const deadHolder = () => {
  const store = memoryStore(() => Date.UTC(2026, 0, 1));
  const graph = graphOf({ source: "flow main() -> int { 1 }\n" });
  const start = { run: "dead", file: "a.weave", flow: "main", graph, inputs: {}, seed: 1, options: {}, startedAt: 0 };
  const fence = store.begin(start, "dead", 0);
  store.lock("dead", fence, { name: "one", back: undefined, waiting: ["main/put"], dead: undefined });
  store.release("dead", fence);
  return store;
};

const bodies: Readonly<Record<string, JournalProgram>> = {
  "breaker, rate, hedge, fallback": {
    source:
      "flow main() -> int {\n  let a = @retry(4, backoff: 50ms, jitter: false) @breaker(failures: 2, window: 1m, cooldown: 10ms) flaky(1)\n  let xs = map x in range(4) { @rate(2/s) t(x) }\n  let h = @hedge(after: 10ms) slow(a)\n  let f = @fallback(t) odd(3)\n  let c = @cache(1h) t(7)\n  let d = @after(c) @cache(1h) t(7)\n  put(sum(xs) + h + f + c + d)\n}",
  },
  "a lock of a run that died": {
    source: 'flow main() -> int {\n  let a = @lock("one", scope: "global") post(1)\n  slow(a)\n}',
    recorded: { store: deadHolder() },
  },
  "prompts, mends and more than was reserved": {
    source: `agent Short(x: string) -> int(0..9) { model: m, shrink: { x: "truncate" }, prompt: "Count {{x}}" }\nflow main() -> int {\n  let a = @budget($1.00) Short("${"a long text that may be made shorter ".repeat(30)}")\n  slow(a)\n}`,
    recorded: { options: { models: { provider: unruly } } },
  },
  "budgets that are short": {
    source:
      "flow main() -> int {\n  let xs = @budget($0.02) some()\n  let g = @budget($0.10) Guess(1).n\n  let b = try { len(@budget($0.02) many(t(xs + 2))) } recover err { slow(1) }\n  xs + b + (if g < 20 { 1 } else { 2 })\n}\nflow some() -> int { len(@parallel(1) @min_success(1) map x in range(4) { paid(x) }) }\nflow many(n: int) -> int[] { map x in range(n) { paid(x) } }",
  },
  "questions, undoing, what tools say": {
    before: "",
    recorded: { wall: Date.UTC(2026, 0, 2) },
    source:
      'tool says(x: int) -> int = module("./tools.ts")\nflow main() -> int {\n  let a = ask "How many?" as int\n  let l = ask "Late?" as int within 1ms else 7\n  let u = try { undone(a) } recover err { says(5) }\n  slow(u + l)\n}\nflow undone(x: int) -> int {\n  let p = @compensate(unput) put(x)\n  refuse(p)\n}',
    answers: { "How many?": 4 },
    tools: {
      says: ({ x }, context) => {
        context.log("said");
        context.emit("step", { x });
        return x;
      },
    },
  },
  "an answer that does not fit": {
    source: 'flow main() -> int {\n  let a = ask "How many?" as int\n  slow(a)\n}',
    answers: { "How many?": 4 },
    recorded: { options: { ask: inTurn(["four", 4]) } },
  },
  "changes in a worktree": {
    source:
      'effect tool edit(x: int) -> int = module("./tools.ts")\nflow main() -> int {\n  let a = @isolate("worktree") edit(1)\n  slow(a)\n}',
    tools: {
      edit: ({ x }, { cwd }: ToolContext) => {
        writeFileSync(join(cwd, "journal.txt"), "made\n");
        return x;
      },
    },
  },
  "an edited program": {
    before: "flow main() -> int {\n  let a = t(1)\n  let b = slow(a)\n  let c = t(b)\n  slow(c)\n}",
    source: "flow main() -> int {\n  let a = t(1)\n  let b = slow(a)\n  let c = t(b + 1)\n  let e = slow(c)\n  slow(e)\n}",
  },
  "a run that uses another": { source: "flow main() -> int {\n  let a = t(1)\n  let b = put(a)\n  slow(b)\n}", reuses: true },
  "a run that failed": { source: "flow main() -> int {\n  let a = put(1)\n  odd(a)\n}", cut: kind("run.failed"), fails: "refused" },
  "a run that waits": {
    source: 'flow main() -> int {\n  let a = slow(1)\n  let b = ask "How many?" as int\n  a + b\n}',
    recorded: { options: { ask: () => undefined } },
    cut: kind("run.waiting"),
    later: { answers: { "main/b": 4 } },
    answers: { "How many?": 4 },
  },
  "a run that is paused": {
    source: "flow main() -> int {\n  let a = slow(1)\n  slow(a)\n}",
    recorded: { onStart: (handle, clock) => void clock.after(50, () => handle.pause()) },
    cut: kind("run.paused"),
  },
  "a run that is cancelled": {
    source: "flow main() -> int {\n  let a = @compensate(unput) put(1)\n  slow(slow(a))\n}",
    recorded: { onStart: (handle, clock) => void clock.after(150, () => handle.cancel()) },
    cut: kind("run.cancelling"),
    fails: "cancelled",
  },
  "a journal that lost its end": {
    before: "",
    source: "flow main() -> int {\n  let a = t(1)\n  slow(slow(a))\n}",
    recorded: { damaged: "record 9 does not fit its checksum" },
  },
};

/** By name; each ends with the value or the failure of a run that nobody cut off. */
export const journalPrograms: ReadonlyMap<string, JournalProgram> = new Map<string, JournalProgram>([
  ...Object.entries(bodies).map(([name, body]): readonly [string, JournalProgram] => [
    name,
    {
      ...body,
      source: `${durableHead}${body.source}\n`,
      ...(body.before === undefined ? {} : { before: `${durableHead}${body.before === "" ? body.source : body.before}\n` }),
    },
  ]),
  ...["agents", "policies", "race", "vote", "try and match", "capabilities", "loop", "locked across runs"].flatMap((name) => {
    const program = durablePrograms.get(name);
    return program === undefined ? [] : [[name, program] as const];
  }),
]);

/** Kinds that are in no journal which can be carried on: what is over, and what is only told to whoever looks on. */
export const neverCarriedOn: ReadonlySet<string> = new Set([
  "run.completed",
  "run.cancelled",
  "model.delta",
  "model.partial",
  "events.dropped",
]);
