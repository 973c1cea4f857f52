/**
 * Connections to MCP servers. A run has one for each server (and folder it works in), made when it is first used, made
 * again after the server has died, and closed with the run: nothing of it stays behind. What goes wrong is a failure
 * with the server's name and its last words.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import type { jsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js";
import { type CallFailure, type FailureKind, failure, isFailure, thrownMessage } from "../../runtime/failure.js";
import type { McpServer } from "../../runtime/tool.js";
import { packageVersion } from "../files.js";
import { statusKind } from "../tools/status.js";
import { type ProgramTransport, programTransport } from "./stdio.js";

export interface Connection {
  readonly client: Client;
  /** What the server wrote last to its standard error; empty for one that is reached at an address. */
  readonly lastWords: () => string;
  readonly ended: () => string | undefined;
  readonly close: () => Promise<void>;
}

/** How long a server may take until it can be used. */
const START_MS = 30_000;

/** What a server gives is checked against the declared type, so its own schemas are not compiled. */
const trusting: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
};

/** Connects to a server; rejects with a failure. `onClose` is told once, when the connection is of no more use. */
export async function connect(server: McpServer, directory: string, onClose: () => void, startMs = START_MS): Promise<Connection> {
  const client = new Client({ name: "weave", version: packageVersion() }, { capabilities: {}, jsonSchemaValidator: trusting });
  const program = server.command === undefined ? undefined : programTransport(server.command, directory, server.env);
  const transport = program ?? webTransport(server);
  client.onclose = onClose;
  client.onerror = () => undefined;
  const made: Connection = {
    client,
    lastWords: () => program?.lastWords() ?? "",
    ended: () => program?.ended(),
    close: async () => {
      if (transport instanceof StreamableHTTPClientTransport) await ending(transport);
      await client.close().catch(() => undefined);
      await program?.close();
    },
  };
  try {
    await client.connect(transport as Parameters<Client["connect"]>[0], { timeout: startMs });
    return made;
  } catch (thrown) {
    await made.close();
    throw startFailure(server, thrown, program, startMs);
  }
}

/** Tells the server that its session is over, if it takes that; it is not waited for long. */
async function ending(transport: StreamableHTTPClientTransport): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 1_000);
  });
  await Promise.race([transport.terminateSession().catch(() => undefined), late]);
  clearTimeout(timer);
}

function webTransport({ name, url = "", headers }: McpServer): StreamableHTTPClientTransport {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw failure("tool_error", `the MCP server ${name} has no http or https address: ${url.slice(0, 200)}`);
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { ...headers } } });
}

function startFailure(server: McpServer, thrown: unknown, program: ProgramTransport | undefined, startMs: number): CallFailure {
  if (isFailure(thrown)) return thrown;
  const kind = kindOf(thrown) ?? "unavailable";
  const late = thrown instanceof McpError && thrown.code === ErrorCode.RequestTimeout;
  const how = program?.ended();
  const reason = late ? `it did not answer within ${startMs / 1000} s` : how === undefined ? reasonOf(thrown) : `its program ${how}`;
  return failure(
    late ? "unavailable" : kind,
    withWords(`the MCP server ${server.name} cannot be used: ${reason}`, program?.lastWords() ?? ""),
    {
      committed: "no",
    },
  );
}

/** The failure of a request to a server. */
export function requestFailure(server: McpServer, tool: string, thrown: unknown, connection: Connection): CallFailure {
  if (isFailure(thrown)) return thrown;
  const how = connection.ended();
  if (how !== undefined || (thrown instanceof McpError && thrown.code === ErrorCode.ConnectionClosed)) {
    const reason = how === undefined ? "the connection was closed" : `its program ${how}`;
    return failure("unavailable", withWords(`the MCP server ${server.name} went away: ${reason}`, connection.lastWords()), {
      committed: "unknown",
    });
  }
  const kind = kindOf(thrown) ?? "tool_error";
  const refused = thrown instanceof McpError && (thrown.code === ErrorCode.InvalidParams || thrown.code === ErrorCode.MethodNotFound);
  return failure(kind, `${tool} of the MCP server ${server.name}: ${reasonOf(thrown)}`, {
    committed: refused || kind === "auth" || kind === "rate_limit" ? "no" : "unknown",
  });
}

function kindOf(thrown: unknown): FailureKind | undefined {
  if (thrown instanceof McpError) return thrown.code === ErrorCode.RequestTimeout ? "timeout" : undefined;
  if (thrown instanceof StreamableHTTPError) return thrown.code === undefined || thrown.code < 0 ? "unavailable" : statusKind(thrown.code);
  if (thrown instanceof TypeError) return "unavailable";
  return undefined;
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof TypeError ? (thrown.cause ?? thrown) : thrown;
  return thrownMessage(cause)
    .replace(/^MCP error -?\d+: /, "")
    .replace(/^Streamable HTTP error: /, "")
    .slice(0, 1_000);
}

const withWords = (message: string, words: string): string => (words === "" ? message : `${message}\n${words}`);
