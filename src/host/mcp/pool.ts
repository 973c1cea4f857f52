/** The connections of runs to MCP servers: one for each run, server and folder, made when first used, closed with the run. */
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { failure, toFailure } from "../../runtime/failure.js";
import type { McpRequest, ToolContext } from "../../runtime/tool.js";
import { type Connection, connect, requestFailure } from "./connection.js";
import { readResult } from "./result.js";

export interface McpPool {
  readonly call: (request: McpRequest, directory: string, context: ToolContext) => Promise<unknown>;
  /** Closes the connections of a run, or those of one folder of it. */
  readonly close: (run: string, directory?: string) => Promise<void>;
}

/** The SDK gives every request a limit; here `@timeout` does, so this is the longest that a timer takes. */
const NO_LIMIT_MS = 2 ** 31 - 1;

interface Open {
  readonly run: string;
  readonly directory: string;
  readonly connection: Promise<Connection>;
}

export function mcpPool(): McpPool {
  const open = new Map<string, Open>();

  const connected = ({ server }: McpRequest, run: string, directory: string): Promise<Connection> => {
    const key = JSON.stringify([run, server.id, directory]);
    const found = open.get(key);
    if (found !== undefined) return found.connection;
    const forget = (): void => {
      if (open.get(key) === made) open.delete(key);
    };
    const made: Open = { run, directory, connection: connect(server, directory, forget) };
    open.set(key, made);
    made.connection.catch(forget);
    return made.connection;
  };

  return {
    call: async (request, directory, context) => {
      const { server, tool } = request;
      const { signal, run } = context;
      const connection = await orAborted(connected(request, run, directory), signal);
      try {
        const result = await connection.client.request(
          { method: "tools/call", params: { name: tool, arguments: { ...request.args } } },
          CallToolResultSchema,
          {
            signal,
            timeout: NO_LIMIT_MS,
            onprogress: ({ progress, total, message }) =>
              context.log(`${tool}: ${progress}${total === undefined ? "" : ` of ${total}`}${message === undefined ? "" : `, ${message}`}`),
          },
        );
        return readResult(request, result);
      } catch (thrown) {
        if (signal.aborted) throw toFailure(signal.reason, "cancelled", false);
        throw requestFailure(server, tool, thrown, connection);
      }
    },
    close: async (run, directory) => {
      const ending = [...open].filter(([, each]) => each.run === run && (directory === undefined || each.directory === directory));
      for (const [key] of ending) open.delete(key);
      await Promise.all(
        ending.map(async ([, { connection }]) => {
          await (await connection.catch(() => undefined))?.close();
        }),
      );
    },
  };
}

/** Waits for a connection, but not longer than the call is wanted; the connection is there for the next one. */
function orAborted(connection: Promise<Connection>, signal: AbortSignal): Promise<Connection> {
  const cancelled = () => failure("cancelled", "the call was cancelled before the server answered");
  if (signal.aborted) return Promise.reject(cancelled());
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(cancelled());
    signal.addEventListener("abort", onAbort, { once: true });
    connection.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
