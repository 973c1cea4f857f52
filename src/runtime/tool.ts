/** What the runtime asks of the host for tools: functions for modules, and running programs and requests. */
import type { ToolIR, TypeIR } from "../plan/ir.js";
import type { Clock } from "./clock.js";

export interface ToolContext {
  /** Aborted when the result is no longer wanted. */
  readonly signal: AbortSignal;
  /** Id of the run. */
  readonly run: string;
  /** Stable path of the call. */
  readonly call: string;
  readonly attempt: number;
  /** Where relative paths start: a worktree under `@isolate`, else where the run works. */
  readonly cwd: string;
  /** The same for every attempt of an idempotent call. */
  readonly idempotencyKey: string | undefined;
  readonly log: (message: string) => void;
  readonly emit: (name: string, data: unknown) => void;
  readonly clock: Clock;
  /** Seeded by the run and the place of the call. */
  readonly random: () => number;
}

export type ToolFunction = (args: Readonly<Record<string, unknown>>, context: ToolContext) => unknown;

export interface ExecRequest {
  readonly argv: readonly string[];
  readonly cwd: string | undefined;
  readonly input: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly parse: "text" | "json" | "lines";
}

export interface HttpRequest {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly url: string;
  readonly query: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
  readonly body: unknown;
  readonly pick: string | undefined;
  /** How the answer is read. */
  readonly as: "text" | "json" | "media";
}

/** An MCP server as a run uses it: a program or an address, with what was read from the environment. */
export interface McpServer {
  readonly id: string;
  readonly name: string;
  readonly command: readonly string[] | undefined;
  readonly url: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

export interface McpRequest {
  readonly server: McpServer;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** What the tool is declared to give, and whether a value is that. */
  readonly result: TypeIR;
  readonly fits: (value: unknown) => boolean;
}

/** One file that two sides changed; `base` is empty where both made it. */
export interface Conflict {
  readonly path: string;
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Gives the text of a file that two sides changed. */
export type Resolve = (conflict: Conflict) => Promise<string>;

export interface WorktreeAsked {
  readonly run: string;
  /** Names the worktree within the run. */
  readonly key: string;
  /** The folder whose files it begins with. */
  readonly from: string;
  /** Whether to go on in one that an earlier part of the run left. */
  readonly keep: boolean;
}

export interface Worktree {
  readonly directory: string;
  /** An earlier part of the run left it. */
  readonly found: boolean;
  /**
   * Merges what changed into the files it was made from and takes it away; gives the number of files. `intend` is told
   * that number before anything is written. Rejects where both sides changed a file; then nothing was.
   */
  readonly merge: (resolve: Resolve | undefined, intend: (files: number) => Promise<void>) => Promise<number>;
  readonly discard: () => Promise<void>;
}

export interface Worktrees {
  readonly open: (asked: WorktreeAsked) => Promise<Worktree>;
  /** Finishes a merge that was intended, wherever it was cut off, and takes the worktree away; nothing where there is none. */
  readonly finish: (asked: WorktreeAsked, resolve?: Resolve) => Promise<void>;
  /** Takes away what a run left, but the worktrees under these keys whose merge was not begun; gives how many it kept. */
  readonly sweep: (run: string, but?: ReadonlySet<string>) => Promise<number>;
}

export interface ToolHost {
  /** Where relative paths start. */
  readonly directory: string;
  readonly worktrees: Worktrees;
  /** The function of a module tool; rejects with a message for the user where it cannot be had. */
  readonly load: (tool: ToolIR) => Promise<ToolFunction>;
  readonly exec: (request: ExecRequest, context: ToolContext) => Promise<unknown>;
  readonly http: (request: HttpRequest, context: ToolContext) => Promise<unknown>;
  readonly mcp: (request: McpRequest, context: ToolContext) => Promise<unknown>;
  /** Ends whatever a run keeps open, or what works in one folder: its connections and the programs behind them. */
  readonly close: (run: string, directory?: string) => Promise<void>;
}
