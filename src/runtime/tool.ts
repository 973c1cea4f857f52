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
  readonly as: "text" | "json";
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

export interface ToolHost {
  /** The function of a module tool; rejects with a message for the user where it cannot be had. */
  readonly load: (tool: ToolIR) => Promise<ToolFunction>;
  readonly exec: (request: ExecRequest, context: ToolContext) => Promise<unknown>;
  readonly http: (request: HttpRequest, context: ToolContext) => Promise<unknown>;
  readonly mcp: (request: McpRequest, context: ToolContext) => Promise<unknown>;
  /** Ends whatever a run keeps open: its connections and the programs behind them. */
  readonly close: (run: string) => Promise<void>;
}
