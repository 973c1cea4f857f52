/**
 * Runs that are cut off after any record of their journal and carried on, in memory and in virtual time. Tools and the
 * model count what they are asked, so that it can be told whether a finished call was made again and what was billed.
 */

import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { type VirtualClock, virtualClock } from "../../src/host/clock.js";
import { fileHost } from "../../src/host/files.js";
import { simulator } from "../../src/host/providers/sim.js";
import { memoryStore } from "../../src/host/store/memory.js";
import type { Graph } from "../../src/plan/ir.js";
import type { Question } from "../../src/runtime/ask.js";
import { type Keeping, resumeKept, runKept } from "../../src/runtime/durable.js";
import type { RunOptions } from "../../src/runtime/options.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { RunHandle, RunResult } from "../../src/runtime/run.js";
import { type Store, type StoredRun, StoreError, type StoreRecord } from "../../src/runtime/store.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import type { DurableProgram } from "./durable-programs.js";
import { onClock } from "./flows.js";
import { functionsOnly } from "./tools.js";

export function graphOf(program: DurableProgram): Graph {
  const compiled = compile("durable.weave", fileHost(new Map([["durable.weave", program.source]])));
  if (compiled.graph === undefined) throw new Error(renderProblems(compiled.problems, compiled.files));
  return compiled.graph;
}

/** What the world outside of a program sees of its runs. */
export interface World {
  /** Paths of tool calls that were carried out, in order. */
  readonly calls: string[];
  /** Requests to the model, by path, attempt and turn. */
  readonly requests: string[];
  /** What the model billed, in US dollars. */
  billed: number;
}

export const world = (): World => ({ calls: [], requests: [], billed: 0 });

function fail(kind: string): never {
  throw Object.assign(new Error(`made to fail: ${kind}`), { kind, committed: "no" });
}

function toolsOf(seen: World, replaced: Readonly<Record<string, ToolFunction>>): Readonly<Record<string, ToolFunction>> {
  const told =
    (then: ToolFunction): ToolFunction =>
    (args, context) => {
      seen.calls.push(context.call);
      return then(args, context);
    };
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  const usual: Readonly<Record<string, ToolFunction>> = {
    t: told(({ x }) => number(x) + 1),
    slow: told(async ({ x }, context) => {
      await onClock(context.clock, 100, context);
      return number(x) + 2;
    }),
    odd: told(({ x }) => (number(x) % 2 === 1 ? fail("refused") : number(x))),
    flaky: told(({ x }, { attempt }) => (attempt < 3 ? fail("overloaded") : number(x))),
    cheap: told(({ x }) => ({ n: number(x), why: "cheap" })),
    paid: told(({ x }) => number(x)),
    add: told(({ a, b }) => number(a) + number(b)),
    put: told(async ({ x }, context) => {
      await onClock(context.clock, 30);
      return number(x);
    }),
    unput: told(() => null),
    post: told(({ x }) => number(x)),
    refuse: told(() => fail("tool_error")),
  };
  return { ...usual, ...Object.fromEntries(Object.entries(replaced).map(([name, then]) => [name, told(then)])) };
}

/** The world as a run meets it. */
export function optionsIn(
  program: DurableProgram,
  seen: World,
  clock: VirtualClock,
  replaced: Readonly<Record<string, ToolFunction>> = {},
): RunOptions {
  const sim = simulator({ toolTurns: 1 });
  const provider: Provider = {
    ...sim,
    ask: async (request, context) => {
      seen.requests.push(`${request.path} ${request.attempt} ${request.turn}`);
      const answer = await sim.ask(request, context);
      const { price } = request.model;
      seen.billed +=
        ((answer.usage?.inputTokens ?? 0) * (price?.input ?? 0) + (answer.usage?.outputTokens ?? 0) * (price?.output ?? 0)) / 1e6;
      return answer;
    },
  };
  const functions = toolsOf(seen, replaced);
  const answerOf = (question: Question): Promise<unknown> | undefined => {
    const answer = program.answers?.[question.text];
    if (question.kind === "outcome") return Promise.resolve({ happened: false });
    return answer === undefined ? undefined : Promise.resolve(answer);
  };
  return {
    clock,
    environment: () => undefined,
    models: { provider: () => provider },
    tools: functionsOnly((tool) => {
      const found = functions[tool.name];
      return found === undefined ? Promise.reject(new Error(`no function for ${tool.name}`)) : Promise.resolve(found);
    }),
    ask: answerOf,
  };
}

/** What else may differ between the parts of a run. */
export interface Otherwise {
  /** The calendar when this part starts; the first part starts at the beginning of 2026. */
  readonly wall?: number;
  readonly options?: Partial<RunOptions>;
  /** The program after an edit. */
  readonly edited?: Graph;
  /** Answers in the store. */
  readonly answers?: Readonly<Record<string, unknown>>;
  readonly damaged?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** Where the run is kept instead of in memory; a run that is there already is carried on. */
  readonly store?: Store;
  /** Told the handle when the run has started. */
  readonly onStart?: (handle: RunHandle, clock: VirtualClock) => void;
}

export interface Ran {
  readonly result: RunResult;
  readonly stored: StoredRun;
  /** What was made safe at once, in order. */
  readonly batches: readonly (readonly StoreRecord[])[];
}

/** Starts a run, or carries on what is left of one after some of its records. */
export async function carry(
  graph: Graph,
  program: DurableProgram,
  seen: World,
  before?: { readonly run: string; readonly records: readonly StoreRecord[]; readonly seed: number },
  /** The store fails after so many commits. */
  good = Number.POSITIVE_INFINITY,
  replaced: Readonly<Record<string, ToolFunction>> = {},
  otherwise: Otherwise = {},
): Promise<Ran> {
  const clock = virtualClock(otherwise.wall);
  const inner = otherwise.store ?? memoryStore(() => clock.wall());
  const batches: (readonly StoreRecord[])[] = [];
  const store = {
    ...inner,
    append: (run: string, fence: number, records: readonly StoreRecord[]): void => {
      if (batches.length >= good) throw new StoreError("full", "the store cannot be used: the disk is full");
      inner.append(run, fence, records);
      batches.push(structuredClone(records));
    },
  };
  const options: RunOptions = { ...optionsIn(program, seen, clock, replaced), ...otherwise.options };
  const keeping: Keeping = { store, owner: "test", soon: setImmediate, beatMs: 1e9 };
  if (before === undefined) {
    const handle = runKept(graph, "main", otherwise.inputs ?? {}, { ...options, id: "r1", seed: 5 }, keeping, {
      file: "durable.weave",
      options: {},
    });
    otherwise.onStart?.(handle, clock);
    const result = await handle.result;
    return { result, stored: load(store, "r1"), batches };
  }
  if (otherwise.store === undefined) fill(inner, graph, before, otherwise.inputs ?? {});
  const lease = inner.acquire(before.run, "test", 60_000);
  if (lease.kind !== "held") throw new Error("the run is taken");
  for (const [path, value] of Object.entries(otherwise.answers ?? {})) store.answer(before.run, path, value);
  const found = load(store, before.run);
  const stored = { ...found, damaged: otherwise.damaged ?? found.damaged };
  const handle = resumeKept(stored, options, keeping, { fence: lease.fence, graph: otherwise.edited });
  otherwise.onStart?.(handle, clock);
  const result = await handle.result;
  return { result, stored: load(store, before.run), batches };
}

/** A store as a process that died left it. */
function fill(
  store: Store,
  graph: Graph,
  before: { readonly run: string; readonly records: readonly StoreRecord[]; readonly seed: number },
  inputs: Readonly<Record<string, unknown>>,
): void {
  const start = {
    run: before.run,
    file: "durable.weave",
    flow: "main",
    graph,
    inputs,
    seed: before.seed,
    options: {},
    startedAt: Date.UTC(2026, 0, 1),
  };
  const fence = store.begin(start, "dead", 0);
  store.append(before.run, fence, before.records);
}

function load(store: Store, run: string): StoredRun {
  const found = store.load(run);
  if (found === undefined) throw new Error("the run is not in the store");
  return found;
}
