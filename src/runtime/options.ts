/** What a run gets from outside: time, tools, models, the environment, and where it is kept. */
import type { ModelIR } from "../plan/ir.js";
import type { Asker } from "./ask.js";
import type { SharedCache } from "./cache.js";
import type { Experiences } from "./choose.js";
import type { Clock } from "./clock.js";
import type { NewEvent, RunEvent } from "./events.js";
import type { Journal } from "./journal.js";
import type { Intercept, Run } from "./machine.js";
import type { Past } from "./past.js";
import type { Provider } from "./provider.js";
import type { Earlier, Orphans } from "./reuse.js";
import type { StoreError } from "./store.js";
import type { Tape } from "./tape.js";
import type { ToolHost } from "./tool.js";

export interface Models {
  /** The provider of a model, or why there is none. */
  readonly provider: (
    model: ModelIR,
  ) =>
    | Provider
    | { readonly missing: "key"; readonly variable: string }
    | { readonly missing: "address"; readonly variable: string }
    | { readonly missing: "program"; readonly program: string }
    | { readonly missing: "provider"; readonly known: readonly string[] };
}

export interface RunOptions {
  readonly clock: Clock;
  readonly tools: ToolHost;
  readonly models: Models;
  readonly environment: (name: string) => string | undefined;
  readonly id?: string;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Dollars that the whole run may cost, a hard cap around its own budgets. */
  readonly capUsd?: number;
  readonly onEvent?: (event: RunEvent) => void;
  /** Makes everything told so far safe, then goes on: what a journal plugs in. */
  readonly commit?: (then: () => void) => void;
  /** Results of another run that may be used again, by path and guard. */
  readonly known?: Run["known"];
  /** How calls were made before: in this run before an edit, or in the run whose results may be used. */
  readonly earlier?: Earlier;
  /** Results whose place in the program is gone: each may be taken once by a new call that is the same. */
  readonly orphans?: Orphans;
  /** Results under `@cache` that runs share. */
  readonly shared?: Pick<SharedCache, "find"> & {
    /** Tells programs apart that name their tools alike: where paths of tools start. */
    readonly place: string;
  };
  /** Why a part of the journal was set aside just now. */
  readonly damaged?: string;
  /** Told every result with its guard, for `known` of a later run. */
  readonly remember?: Run["remember"];
  /** Keeps the run while it goes on; made with the clock that it is to hold while it writes. */
  readonly journal?: (clock: Clock, onFailure: (error: StoreError) => void) => Journal;
  /** What an earlier part of this run left behind. */
  readonly past?: Past;
  /** Told again what was told before, in a run that is carried on. */
  readonly onRetold?: (event: NewEvent) => void;
  /** Only what is finished is looked at again; the run then ends as cancelled, for this reason. */
  readonly replayOnly?: string;
  readonly choices?: ReadonlyMap<string, "keep" | "again">;
  /** What earlier runs tell about callables, by their ids: decides between implementations that are equal. */
  readonly experiences?: Experiences;
  /** Whether what calls take is added up and kept in the store for later runs. */
  readonly learn?: boolean;
  /** Asks a person; without it, or where it gives nothing, the run ends waiting for an answer. */
  readonly ask?: Asker;
  readonly answers?: ReadonlyMap<string, unknown>;
  readonly stubbed?: Run["stubbed"];
  /** Answers from a recording, or writes one. */
  readonly tape?: Tape;
  readonly intercept?: Intercept;
  readonly hook?: (name: string, args: readonly unknown[]) => unknown;
  /** How long an aborted pure call may take to end; 1 second. */
  readonly graceMs?: number;
}
