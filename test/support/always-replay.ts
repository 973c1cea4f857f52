/**
 * A run that forgets everything again and again: whenever a result has been made safe, the machine that holds the run in
 * memory is left to die and another one is built from the journal. Only the world goes on: what tools and models were
 * asked and have not answered yet is not asked again, its answer goes to whoever lives then. What is left of a journal is
 * that of a run that never died: what a dead machine had begun and not ended is taken out of it.
 *
 * `ALWAYS_REPLAY=1` makes the tests of the runtime run this way.
 */
import { temporaryWorktrees } from "../../src/host/worktree/temporary.js";
import type { Graph } from "../../src/plan/ir.js";
import type { Clock } from "../../src/runtime/clock.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { hash53 } from "../../src/runtime/hash.js";
import type { Journal } from "../../src/runtime/journal.js";
import type { RunOptions } from "../../src/runtime/options.js";
import { pastOf } from "../../src/runtime/past.js";
import type { Provider } from "../../src/runtime/provider.js";
import { type RunHandle, type RunResult, run } from "../../src/runtime/run.js";
import type { StoredResult } from "../../src/runtime/store.js";
import type { ToolContext, ToolFunction, ToolHost } from "../../src/runtime/tool.js";

const forgetful = process.env["ALWAYS_REPLAY"] !== undefined;

/** The usual way to run, or the forgetful one where the environment asks for it. */
export const running: typeof run = forgetful ? (...args) => alwaysReplayed(...args).handle : run;

/** Whether a test is left out where runs forget everything, since it looks at what only a process that lives on has: `_what`. */
export const livesOn = (_what: string): boolean => forgetful;

interface Life {
  dead: boolean;
  handle: RunHandle | undefined;
}

/** Runs a flow; `lives` counts the machines that were needed. */
export function alwaysReplayed(
  graph: Graph,
  flow: string,
  inputs: Readonly<Record<string, unknown>>,
  options: RunOptions,
): { readonly handle: RunHandle; readonly lives: () => number } {
  const { clock } = options;
  const startedAt = clock.wall();
  const world = worldOf(clock);
  let events: RunEvent[] = [];
  const results = new Map<string, StoredResult>();
  let lives = 0;
  let life: Life = { dead: false, handle: undefined };
  let end: (result: RunResult) => void = () => undefined;
  const result = new Promise<RunResult>((resolve) => {
    end = resolve;
  });
  let stop: ((handle: RunHandle) => void) | undefined;

  const live = (): void => {
    const own: Life = { dead: false, handle: undefined };
    life = own;
    lives++;
    const mine = clockOf(clock, own);
    let fresh: RunEvent[] = [];
    let waiting: (() => void)[] = [];
    let scheduled = false;
    const journal: Journal = {
      record: (event) => {
        if (!own.dead && !isFleeting(event)) fresh.push(event);
      },
      remember: (path, { guard, value, failed }) => {
        if (!own.dead)
          results.set(path, {
            path,
            guard,
            outcome: failed === undefined ? { kind: "value", value } : { kind: "failure", failure: failed },
          });
      },
      cache: () => undefined,
      // Nobody else is there.
      lock: ({ waiting: [path] }) => (path === undefined ? { kind: "free" } : { kind: "held", path, from: undefined }),
      leaseMs: 15_000,
      commit: (then) => {
        waiting.push(then);
        if (scheduled) return;
        scheduled = true;
        mine.hold();
        setImmediate(flush);
      },
      settle: () => {
        events.push(...fresh);
        return undefined;
      },
      failed: () => undefined,
    };
    const flush = (): void => {
      scheduled = false;
      if (own.dead) return;
      const batch = fresh;
      fresh = [];
      events.push(...batch);
      const ready = waiting;
      waiting = [];
      if (batch.some(isProgress) && stop === undefined) {
        // What waited for the commit is forgotten with all the rest.
        die(own, mine);
        events = surviving(events);
        live();
        return;
      }
      for (const then of ready) then();
      mine.release();
    };
    const past = events.length === 0 ? {} : { past: { ...pastOf(events, results, startedAt), unknown: new Set<string>() } };
    const handle = run(graph, flow, inputs, {
      ...options,
      ...past,
      onEvent: (event) => {
        if (isFleeting(event) && !own.dead) options.onEvent?.(event);
      },
      id: options.id ?? "r1",
      clock: mine,
      tools: world.tools(options.tools, own, mine),
      models: { provider: (model) => world.model(options.models.provider(model), own) },
      journal: () => journal,
    });
    own.handle = handle;
    void handle.result.then((ended) => {
      if (own.dead) return;
      // A run that ends without a commit since has told its end to the journal by now.
      events = ending(surviving(events));
      for (const event of events) options.onEvent?.(event);
      // What nobody needs any more is given up.
      world.abandon();
      setImmediate(() => setImmediate(() => end({ ...ended, elapsedMs: clock.wall() - startedAt })));
    });
  };
  const stopping = (how: (handle: RunHandle) => void): void => {
    stop = how;
    if (life.handle !== undefined) how(life.handle);
  };
  live();
  const handle: RunHandle = {
    id: options.id ?? "r1",
    events: {
      async *[Symbol.asyncIterator]() {
        await result;
        yield* events;
      },
    },
    result,
    cancel: (reason) => stopping((of) => of.cancel(reason)),
    pause: (reason) => stopping((of) => of.pause(reason)),
    interrupt: (reason) => stopping((of) => of.interrupt(reason)),
    answer: (path, value) => life.handle?.answer(path, value) ?? false,
    letGo: () => undefined,
  };
  return { handle, lives: () => lives };
}

/** The events of a run that is over: what a machine that died had begun, and no later one wanted, is left out. */
function ending(events: readonly RunEvent[]): RunEvent[] {
  const ended = new Set(events.flatMap((event) => (event.kind === "call.completed" || event.kind === "call.failed" ? [event.path] : [])));
  const out = events.filter((event) => event.kind !== "call.started" || ended.has(event.path));
  out.forEach((event, i) => {
    event.seq = i;
  });
  return out;
}

const isFleeting = ({ kind }: RunEvent): boolean => kind === "model.delta" || kind === "model.partial";

const isProgress = (event: RunEvent): boolean =>
  event.kind === "call.completed" ||
  (event.kind === "call.failed" && event.failure.kind !== "cancelled") ||
  event.kind === "model.answered" ||
  event.kind === "question.answered";

/** The clock as one machine sees it: what it holds and waits for ends with it. */
function clockOf(clock: Clock, life: Life): Clock & { readonly held: { count: number } } {
  const held = { count: 0 };
  return {
    held,
    now: clock.now,
    wall: clock.wall,
    after: (ms, fire) => clock.after(ms, () => (life.dead ? undefined : fire())),
    hold: () => {
      if (life.dead) return;
      held.count++;
      clock.hold();
    },
    release: () => {
      if (life.dead) return;
      held.count--;
      clock.release();
    },
  };
}

function die(life: Life, mine: ReturnType<typeof clockOf>): void {
  while (mine.held.count > 0) mine.release();
  life.dead = true;
}

/** Events without what was begun and not ended: it is begun anew, and reaches what is in flight in the world. */
function surviving(events: readonly RunEvent[]): RunEvent[] {
  const ended = new Set<string>();
  /** Calls whose last attempt that failed has been met: what stands before it is over. */
  const tried = new Set<string>();
  const settled = new Map<string, number>();
  const out: RunEvent[] = [];
  const over = (path: string): boolean => ended.has(path) || tried.has(path);
  const survives = (event: RunEvent): boolean => {
    switch (event.kind) {
      case "run.resumed":
        return false;
      case "call.completed":
      case "call.failed":
        if (event.kind === "call.failed" && event.failure.kind === "cancelled") return false;
        ended.add(event.path);
        return true;
      case "call.attempt_failed":
        tried.add(event.path);
        return true;
      case "call.attempted":
      case "call.retried":
      case "rate.taken":
      case "budget.refused":
        return over(event.path);
      case "model.answered":
      case "model.failed": {
        const key = `${event.path} ${event.model} ${event.turn}`;
        settled.set(key, (settled.get(key) ?? 0) + 1);
        return true;
      }
      case "model.requested": {
        const key = `${event.path} ${event.model} ${event.turn}`;
        const left = settled.get(key) ?? 0;
        settled.set(key, Math.max(0, left - 1));
        // What was given up stays charged.
        return left > 0 || over(event.path);
      }
      default:
        return true;
    }
  };
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i];
    if (event !== undefined && survives(event)) out.push(event);
  }
  // Of several beginnings the first counts.
  const open = new Set<string>();
  return out.reverse().filter((event) => {
    if (event.kind === "call.completed" || event.kind === "call.failed") open.delete(event.path);
    if (event.kind !== "call.started") return true;
    const first = !open.has(event.path);
    open.add(event.path);
    return first;
  });
}

/** A call that was made and goes on whatever becomes of the machine that made it. */
interface Flight {
  readonly promise: Promise<unknown>;
  readonly controller: AbortController;
  context: ToolContext | undefined;
  /** Whether it keeps time from going on. */
  holds: boolean;
  over: boolean;
}

/** What tools and models have been asked. */
function worldOf(clock: Clock) {
  const flights = new Map<string, Flight>();
  const free = (flight: Flight): void => {
    if (flight.holds) clock.release();
    flight.holds = false;
  };
  const end = (flight: Flight): void => {
    free(flight);
    flight.over = true;
  };
  /** Tells a call that nobody wants its answer any more. */
  const giveUp = (flight: Flight | undefined, reason: unknown): void => {
    if (flight === undefined || flight.over) return;
    flight.controller.abort(reason);
    free(flight);
  };
  const never = (): Promise<never> => new Promise(() => undefined);

  const call = (
    key: string,
    life: Life,
    mine: ReturnType<typeof clockOf>,
    context: ToolContext,
    perform: (context: ToolContext) => unknown,
  ): unknown => {
    if (life.dead) return never();
    let flight = flights.get(key);
    if (flight === undefined) {
      const controller = new AbortController();
      const current = (): ToolContext => flights.get(key)?.context ?? context;
      const own = Object.create(context, {
        clock: { value: clock },
        signal: { value: controller.signal },
        log: { value: (message: string) => current().log(message) },
        emit: { value: (name: string, data: unknown) => current().emit(name, data) },
      }) as ToolContext;
      clock.hold();
      let result: unknown;
      try {
        result = perform(own);
      } catch (thrown) {
        clock.release();
        throw thrown;
      }
      if (!(result instanceof Promise)) {
        clock.release();
        return result;
      }
      const made: Flight = { promise: result.finally(() => end(made)), controller, context, holds: true, over: false };
      flight = made;
      flights.set(key, flight);
    }
    flight.context = context;
    const { promise } = flight;
    // The machine holds its clock until the call ends; the world holds it where it must be.
    let balanced = false;
    queueMicrotask(() => mine.release());
    const balance = (): void => {
      if (!balanced) mine.hold();
      balanced = true;
    };
    context.signal.addEventListener("abort", () => {
      if (life.dead) return;
      balance();
      giveUp(flights.get(key), context.signal.reason);
    });
    return promise.finally(balance);
  };

  return {
    abandon: () => {
      for (const flight of flights.values()) {
        flight.promise.catch(() => undefined);
        giveUp(flight, new DOMException("the run is over", "AbortError"));
      }
    },
    tools: (host: ToolHost, life: Life, mine: ReturnType<typeof clockOf>): ToolHost => ({
      load: async (tool) => {
        const found = await host.load(tool);
        const wrapped: ToolFunction = (args, context) =>
          call(`${context.call} ${context.attempt}`, life, mine, context, (own) => found(args, own));
        return wrapped;
      },
      exec: (request, context) =>
        Promise.resolve(call(`${context.call} ${context.attempt}`, life, mine, context, (own) => host.exec(request, own))),
      http: (request, context) =>
        Promise.resolve(call(`${context.call} ${context.attempt}`, life, mine, context, (own) => host.http(request, own))),
      mcp: (request, context) =>
        Promise.resolve(call(`${context.call} ${context.attempt}`, life, mine, context, (own) => host.mcp(request, own))),
      close: (run) => host.close(run),
      directory: process.cwd(),
      worktrees: temporaryWorktrees,
    }),
    model: (provider: ReturnType<RunOptions["models"]["provider"]>, life: Life): ReturnType<RunOptions["models"]["provider"]> => {
      if (!("ask" in provider)) return provider;
      const asked: Provider = {
        ...provider,
        ask: (request, context) => {
          if (life.dead) return never();
          const said = hash53(JSON.stringify(request.messages), 1);
          const key = `${request.path} ${request.attempt} ${request.turn} ${request.model.name} ${said}`;
          let flight = flights.get(key);
          if (flight === undefined) {
            const controller = new AbortController();
            const holds = provider.timed !== true;
            if (holds) clock.hold();
            const asked = provider.ask(request, { ...context, clock, signal: controller.signal });
            const made: Flight = { promise: asked.finally(() => end(made)), controller, context: undefined, holds, over: false };
            flight = made;
            flights.set(key, flight);
          }
          const { promise } = flight;
          context.signal.addEventListener("abort", () => {
            if (!life.dead) giveUp(flights.get(key), context.signal.reason);
          });
          return promise as ReturnType<Provider["ask"]>;
        },
      };
      return asked;
    },
  };
}
