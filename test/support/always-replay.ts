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
import type { FailureValue } from "../../src/runtime/failure.js";
import { hash53 } from "../../src/runtime/hash.js";
import type { Journal } from "../../src/runtime/journal.js";
import type { RunOptions } from "../../src/runtime/options.js";
import { answerKey, type Past, pastOf } from "../../src/runtime/past.js";
import type { PastAsked } from "../../src/runtime/past-models.js";
import type { Places } from "../../src/runtime/past-places.js";
import type { ModelRequest, Provider } from "../../src/runtime/provider.js";
import { type RunHandle, type RunResult, run } from "../../src/runtime/run.js";
import type { StoredResult } from "../../src/runtime/store.js";
import type { Tape } from "../../src/runtime/tape.js";
import type { ToolContext, ToolFunction, ToolHost } from "../../src/runtime/tool.js";

/** Whether runs forget everything at every result. */
export const forgetful = process.env["ALWAYS_REPLAY"] !== undefined;

/** The usual way to run, or the forgetful one where the environment asks for it. */
export const running: typeof run = forgetful ? (...args) => alwaysReplayed(...args).handle : run;

/** How many cases of a law are tried: fewer where every result is a life that begins with all that was before it. */
export const cases = (usual: number, forgetting = 40): number => (forgetful ? Math.min(usual, forgetting) : usual);
/** How much of something there is: `usual`, or `small` where every result is a life. */
export const sized = (usual: number, small: number): number => (forgetful ? small : usual);

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
  let began = false;

  const live = (): void => {
    const own: Life = { dead: false, handle: undefined };
    life = own;
    lives++;
    began = false;
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
      if (began) return;
      // Only now there is something that can be stopped.
      began = true;
      mine.hold();
      setImmediate(() => {
        if (stop !== undefined && own.handle !== undefined) stop(own.handle);
        mine.release();
      });
    };
    const rebuilt = events.length === 0 ? undefined : pastOf(events, results, startedAt);
    // What is in flight goes back to whom it was sent.
    const past = rebuilt && { past: { ...rebuilt, unknown: new Set<string>(), ...world.inFlight(rebuilt, events) } };
    const handle = run(graph, flow, inputs, {
      ...options,
      ...past,
      onEvent: (event) => {
        if (isFleeting(event) && !own.dead) options.onEvent?.(event);
      },
      id: options.id ?? "r1",
      clock: mine,
      tools: world.tools(options.tools, own, mine),
      // A tape stands before the outside: what was asked of it is not asked again.
      ...(options.tape === undefined
        ? { models: { provider: (model) => world.model(options.models.provider(model), own, mine) } }
        : { tape: world.tape(options.tape, own, mine) }),
      journal: () => journal,
    });
    own.handle = handle;
    void handle.result.then((ended) => {
      if (own.dead) return;
      // A run that ends without a commit since has told its end to the journal by now.
      events = ending(surviving(events));
      for (const event of events) options.onEvent?.(event);
      const elapsedMs = clock.wall() - startedAt;
      // What nobody needs any more is given up.
      world.abandon();
      // Each life took over what those before it had done: only what came from elsewhere was reused.
      const reused = events.filter((event) => event.kind === "call.reused").length;
      setImmediate(() => setImmediate(() => end({ ...ended, spend: { ...ended.spend, reused }, elapsedMs })));
    });
  };
  const stopping = (how: (handle: RunHandle) => void): void => {
    stop = how;
    if (began && life.handle !== undefined) how(life.handle);
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

/** The models of groups that were chosen for what has not been answered yet, by the path of the call. */
function chosenIn(events: readonly RunEvent[]): ReadonlyMap<string, string> {
  const chosen = new Map<string, string>();
  for (const event of events) {
    if (event.kind === "choice" && event.of === "model") chosen.set(event.path, event.chosen);
    else if (event.kind === "model.answered" || event.kind === "model.failed" || event.kind === "call.attempt_failed")
      chosen.delete(event.path);
  }
  return chosen;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
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
  while (mine.held.count < 0) mine.hold();
  life.dead = true;
}

/** Events without what was begun and not ended: it is begun anew, and reaches what is in flight in the world. */
function surviving(events: readonly RunEvent[]): RunEvent[] {
  const ended = new Set<string>();
  /** Calls whose last attempt that failed has been met: what stands before it is over. */
  const tried = new Set<string>();
  const settled = new Map<string, number>();
  /** Answers of models by the path of the call, whose starts have not been met. */
  const heard = new Map<string, number>();
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
      case "budget.refused":
        return over(event.path);
      case "rate.taken": {
        const left = heard.get(event.path) ?? 0;
        if (event.key.startsWith("model ")) heard.set(event.path, Math.max(0, left - 1));
        return left > 0 || over(event.path);
      }
      case "model.answered":
      case "model.failed": {
        const key = `${event.path} ${event.model} ${event.turn}`;
        settled.set(key, (settled.get(key) ?? 0) + 1);
        heard.set(event.path, (heard.get(event.path) ?? 0) + 1);
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
  readonly path: string;
  readonly promise: Promise<unknown>;
  readonly controller: AbortController;
  context: ToolContext | undefined;
  /** What a model was asked. */
  readonly request?: ModelRequest;
  /** Time does not wait for it any more. */
  readonly letGo: () => void;
  over: boolean;
}

/** What tools and models have been asked. */
function worldOf(clock: Clock) {
  const flights = new Map<string, Flight>();
  /** Says of each call whether whoever lives now needs its answer no more. */
  const needless = new Map<string, () => boolean>();
  let abandoned = false;
  const isNeedless = (key: string) => (): boolean => abandoned || needless.get(key)?.() === true;
  const end = (flight: Flight): void => {
    flight.letGo();
    flight.over = true;
  };
  /** Tells a call that nobody wants its answer any more. */
  const giveUp = (flight: Flight | undefined, reason: unknown): void => {
    if (flight === undefined || flight.over) return;
    flight.controller.abort(reason);
    flight.letGo();
  };
  /** A clock that is held by one call alone, and by it no longer once it is let go. */
  const timing = (): { readonly clock: Clock; readonly letGo: () => void } => {
    const life: Life = { dead: false, handle: undefined };
    const own = clockOf(clock, life);
    return { clock: { ...own, after: clock.after }, letGo: () => die(life, own) };
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
      const timed = timing();
      const own = Object.create(context, {
        clock: { value: timed.clock },
        signal: { value: controller.signal },
        log: { value: (message: string) => current().log(message) },
        emit: { value: (name: string, data: unknown) => current().emit(name, data) },
      }) as ToolContext;
      timed.clock.hold();
      let result: unknown;
      try {
        result = perform(own);
      } catch (thrown) {
        timed.letGo();
        throw thrown;
      }
      if (!(result instanceof Promise)) {
        timed.letGo();
        return result;
      }
      const made: Flight = {
        path: context.call,
        promise: result.finally(() => end(made)),
        controller,
        context,
        letGo: timed.letGo,
        over: false,
      };
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

  /** Sends something that goes on whatever becomes of who sent it. */
  const begin = (
    key: string,
    path: string,
    request: ModelRequest | undefined,
    holds: boolean,
    send: (signal: AbortSignal) => Promise<unknown>,
  ): Flight => {
    const controller = new AbortController();
    const timed = timing();
    if (holds) timed.clock.hold();
    const sent = send(controller.signal);
    const made: Flight = {
      path,
      promise: sent.finally(() => end(made)),
      controller,
      context: undefined,
      ...(request === undefined ? {} : { request }),
      letGo: timed.letGo,
      over: false,
    };
    flights.set(key, made);
    return made;
  };
  const asking = (
    provider: ReturnType<RunOptions["models"]["provider"]>,
    life: Life,
    mine: ReturnType<typeof clockOf>,
  ): typeof provider => {
    if (!("ask" in provider)) return provider;
    return {
      ...provider,
      ask: (request, context) => {
        if (life.dead) return never();
        const said = hash53(JSON.stringify(request.messages), 1);
        const key = `model ${request.path} ${request.attempt} ${request.turn} ${request.model.name} ${said}`;
        if (context.abandoned !== undefined) needless.set(key, context.abandoned);
        const flight =
          flights.get(key) ??
          begin(key, request.path, request, provider.timed !== true, (signal) =>
            provider.ask(request, { ...context, clock, signal, abandoned: isNeedless(key) }),
          );
        context.signal.addEventListener("abort", () => {
          if (!life.dead) giveUp(flight, context.signal.reason);
        });
        const promise = flight.promise as ReturnType<Provider["ask"]>;
        if (provider.timed) return promise;
        // The machine holds its clock until the answer comes; the world holds it where it must be.
        queueMicrotask(() => mine.release());
        return promise.finally(() => mine.hold());
      },
    };
  };

  return {
    abandon: () => {
      abandoned = true;
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
    /** What a journal says of requests, with those that are in flight, whose answer nobody has heard, or that wait for a model. */
    inFlight: (past: Past, events: readonly RunEvent[]): Pick<Past, "asked" | "places"> => {
      const { attempts, answers } = past;
      const asked = (): ReadonlyMap<string, PastAsked> => {
        const known = past.asked();
        const all = new Map(known);
        const goes = (path: string, attempt: number, turn: number, model: string): void => {
          if (attempt !== (attempts.get(path)?.made ?? 0) + 1 || answers.has(answerKey(path, attempt, turn))) return;
          const before = known.get(path);
          const failed = before?.turn === turn ? before.failed : new Map<string, FailureValue>();
          if (!failed.has(model)) all.set(path, { turn, failed, pending: model });
        };
        for (const [path, model] of chosenIn(events)) {
          const attempt = (attempts.get(path)?.made ?? 0) + 1;
          let turn = 1;
          while (answers.has(answerKey(path, attempt, turn))) turn++;
          goes(path, attempt, turn, model);
        }
        for (const { request } of flights.values())
          if (request !== undefined) goes(request.path, request.attempt, request.turn, request.model.name);
        return all;
      };
      const places = (): Places => {
        const known = past.places();
        const going = new Set([...flights.values()].flatMap(({ path, over }) => (over ? [] : [path])));
        return { ...known, since: (path, what) => (going.has(path) ? Number.NEGATIVE_INFINITY : known.since(path, what)) };
      };
      return { asked: once(asked), places: once(places) };
    },
    tape: (tape: Tape, life: Life, mine: ReturnType<typeof clockOf>): Tape => ({
      ...tape,
      provider: (model, from) => asking(tape.provider(model, from), life, mine),
      call: (taped, live) => {
        if (life.dead) return never();
        const key = `tape ${taped.path} ${taped.attempt}`;
        needless.set(key, taped.abandoned);
        const flight =
          flights.get(key) ??
          begin(key, taped.path, undefined, false, (signal) => tape.call({ ...taped, clock, signal, abandoned: isNeedless(key) }, live));
        taped.signal.addEventListener("abort", () => {
          if (!life.dead) giveUp(flight, taped.signal.reason);
        });
        return flight.promise as ReturnType<Tape["call"]>;
      },
    }),
    model: asking,
  };
}
