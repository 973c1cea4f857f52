/** What commands that have to do with stored runs share: the store, who asks a person, and how a run that goes on is shown. */
import { openStore, ownerHere } from "../host/store/open.js";
import { findStore, storeFor } from "../host/store/place.js";
import type { Question } from "../runtime/ask.js";
import type { Keeping } from "../runtime/durable.js";
import type { RunHandle } from "../runtime/run.js";
import { type RunSummary, type Store, type StoredRun, StoreError } from "../runtime/store.js";
import { finished } from "./strays.js";
import { EXIT, type Terminal } from "./terminal.js";

/** Opens the store for a program, or where a command is given; undefined, with a word, when that cannot be done. */
export function storeOf(program: string | undefined, named: string | undefined, to: Terminal, open = openStore): Store | undefined {
  const file = named ?? (program === undefined ? findStore(".") : storeFor(program));
  if (file === undefined) {
    to.err("error: there is no store of runs here or in a folder above: `weave run` makes one, `--store FILE` names one\n");
    return undefined;
  }
  try {
    return open(file);
  } catch (thrown) {
    to.err(`error: ${thrown instanceof Error ? thrown.message : String(thrown)} (${file})\n`);
    return undefined;
  }
}

/** Does something with a store; what the store cannot do is said in a sentence. */
export async function withStore<T>(store: Store, to: Terminal, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown;
    to.err(`error: ${thrown.message}\n`);
    return undefined;
  } finally {
    store.close();
  }
}

/** The run that a command means: named in full or by its end or beginning, else the newest that fits. */
export function chooseRun(
  store: Store,
  named: string | undefined,
  fits: (run: RunSummary) => boolean,
  none: string,
  to: Terminal,
): StoredRun | undefined {
  const all = store.list(10_000);
  const found = named === undefined ? all.filter(fits).slice(0, 1) : all.filter((run) => run.run === named);
  const near = named === undefined || found.length > 0 ? found : all.filter((run) => run.run.startsWith(named) || run.run.endsWith(named));
  const [only] = near;
  if (only === undefined || near.length > 1) {
    to.err(
      named === undefined
        ? `error: ${none}\n`
        : near.length > 1
          ? `error: ${named} may be ${near.map((run) => run.run).join(", ")}\n`
          : `error: there is no run ${named} here; \`weave runs\` lists them\n`,
    );
    return undefined;
  }
  return store.load(only.run);
}

/** Deletes what the store is told to delete as time goes by. */
export function tidy(store: Store): void {
  try {
    const policy = store.retention();
    if (policy !== undefined) store.prune(Date.now() - policy.days * 86_400_000, policy.keep);
  } catch {
    // The run is what counts; the next one tidies.
  }
}

export function keepingIn(store: Store): Keeping {
  return { store, owner: ownerHere(), soon: setImmediate };
}

/** Asks a person at the terminal; undefined where nobody is there. */
export function askerAt(to: Terminal): ((question: Question, signal: AbortSignal) => Promise<unknown> | undefined) | undefined {
  if (!to.interactive) return undefined;
  return async (question) => {
    const { confirm, isCancel, select, text } = await import("@clack/prompts");
    const output = process.stderr;
    const { answer } = question;
    const given = async (): Promise<unknown> => {
      if (question.kind === "outcome" || answer.kind === "bool") return confirm({ message: question.text, output });
      const literals = answer.kind === "union" ? answer.of.flatMap((each) => (each.kind === "literal" ? [String(each.value)] : [])) : [];
      if (answer.kind === "union" && literals.length === answer.of.length)
        return select({ message: question.text, options: literals.map((value) => ({ value, label: value })), output });
      return text({ message: question.text, output });
    };
    const found = await given();
    if (isCancel(found)) throw new Error("nobody answered");
    if (question.kind === "outcome") {
      if (found !== true) return { happened: false };
      const gave = await text({ message: "What did it give? As JSON; nothing for null.", output });
      if (isCancel(gave)) throw new Error("nobody answered");
      return { happened: true, value: gave.trim() === "" ? null : readJson(gave) };
    }
    return answer.kind === "string" || typeof found !== "string" ? found : readJson(found);
  };
}

/** A value as JSON where it is, else the text itself. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface Grace {
  /** Seconds that effects in flight have to end after SIGTERM. */
  readonly grace?: number;
}

/**
 * The first Ctrl-C stops a run so that it can be resumed, or cancels one that is not kept; the second ends the process.
 * SIGTERM does the same, and ends the process when what is awaited has not ended within the grace time: whoever stops
 * services kills it then. The run is given up in either case, for another process to take.
 */
export function stopOnInterrupt(handle: RunHandle, kept: boolean, { grace = 10 }: Grace, to: Terminal): () => void {
  let asked = false;
  let timer: NodeJS.Timeout | undefined;
  const leave = (): void => {
    try {
      handle.letGo();
    } catch {
      // The store is out of reach: the run is taken over when its time has passed.
    }
    finished();
    process.exit(EXIT.interrupted);
  };
  const stop = (how: string): void => {
    if (asked) leave();
    asked = true;
    to.err(`\n${kept ? "Stopping" : "Cancelling"}; effects in flight are awaited${how}\n`);
    if (kept) handle.interrupt("interrupted");
    else handle.cancel("interrupted");
  };
  const interrupt = (): void => stop(". Ctrl-C again stops at once.");
  const terminate = (): void => {
    stop(` for at most ${grace} s.`);
    timer = setTimeout(() => {
      to.err(`An effect has not ended within ${grace} s; ${kept ? `weave resume ${handle.id} asks how it ended` : "it is left behind"}.\n`);
      leave();
    }, grace * 1000);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", terminate);
  to.onClosed(() => handle.interrupt("nobody reads the output any more"));
  return () => {
    clearTimeout(timer);
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", terminate);
  };
}
