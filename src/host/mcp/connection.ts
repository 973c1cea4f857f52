/**
 * Connections to MCP servers. A run has one for each server (and folder it works in), made when it is first used, made
 * again after the server has died, and closed with the run: nothing of it stays behind. What goes wrong is a failure
 * with the server's name and its last words.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport, SseError } from "@modelcontextprotocol/sdk/client/sse.js";
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
const START_MS = 60_000;

/** What a server gives is checked against the declared type, so its own schemas are not compiled. */
const trusting: jsonSchemaValidator = {
  getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
};

/** Connects to a server; rejects with a failure. `onClose` is told once, when the connection is of no more use. */
export async function connect(server: McpServer, directory: string, onClose: () => void, startMs = START_MS): Promise<Connection> {
  if (server.command !== undefined) {
    const program = programTransport(server.command, directory, server.env);
    return connected(server, { transport: program, program }, onClose, startMs);
  }
  const web = watched(addressOf(server), server.headers);
  try {
    return await connected(server, { transport: new StreamableHTTPClientTransport(web.url, web), web }, onClose, startMs);
  } catch (thrown) {
    // Servers from before streamable HTTP refuse the first request in one of these ways.
    if (![400, 404, 405].includes(web.status() ?? 0)) throw thrown;
    return connected(server, { transport: new SSEClientTransport(web.url, web), web }, onClose, startMs).catch(() => {
      throw thrown;
    });
  }
}

interface Way {
  readonly transport: ProgramTransport | StreamableHTTPClientTransport | SSEClientTransport;
  readonly program?: ProgramTransport;
  readonly web?: Web;
}

async function connected(server: McpServer, way: Way, onClose: () => void, startMs: number): Promise<Connection> {
  const { transport, program } = way;
  const client = new Client({ name: "weave", version: packageVersion() }, { capabilities: {}, jsonSchemaValidator: trusting });
  let isUp = false;
  client.onclose = () => {
    if (isUp) onClose();
  };
  client.onerror = (error) => {
    // A stream of events that broke off is opened again by the client, but what was asked on it is never answered.
    if (isUp && error instanceof SseError) void client.close();
  };
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
    isUp = true;
    return made;
  } catch (thrown) {
    await made.close();
    throw startFailure(server, thrown, way, startMs);
  }
}

/** How a server at an address is asked, and what it answered last where it refused. */
interface Web {
  readonly url: URL;
  readonly requestInit: RequestInit;
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  readonly status: () => number | undefined;
  /** Whether it wants somebody to sign in: it names where that is done. */
  readonly wantsSignIn: () => boolean;
}

function watched(url: URL, headers: McpServer["headers"]): Web {
  let status: number | undefined;
  let challenge = "";
  return {
    url,
    requestInit: { headers: { ...headers } },
    fetch: async (to, init) => {
      const response = await fetch(to, init);
      if (!response.ok) [status, challenge] = [response.status, response.headers.get("www-authenticate") ?? ""];
      return response;
    },
    status: () => status,
    wantsSignIn: () => /resource_metadata|authorization_uri/i.test(challenge),
  };
}

function addressOf({ name, url = "" }: McpServer): URL {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw failure("tool_error", `the MCP server ${name} has no http or https address: ${url.slice(0, 200)}`);
  return new URL(url);
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

function startFailure(server: McpServer, thrown: unknown, { program, web }: Way, startMs: number): CallFailure {
  if (isFailure(thrown)) return thrown;
  const cannot = `the MCP server ${server.name} cannot be used`;
  if (web?.status() === 401 || web?.status() === 403) return failure("auth", `${cannot}: ${authReason(server, web)}`, { committed: "no" });
  const kind = kindOf(thrown) ?? "unavailable";
  const late = thrown instanceof McpError && thrown.code === ErrorCode.RequestTimeout;
  const how = program?.ended();
  const reason = late ? silence(server, startMs) : how === undefined ? reasonOf(thrown) : `its program ${how}`;
  return failure(late ? "unavailable" : kind, withWords(`${cannot}: ${reason}`, program?.lastWords() ?? ""), { committed: "no" });
}

function silence({ command }: McpServer, startMs: number): string {
  const words = `it did not answer within ${startMs / 1000} s`;
  // These download what they start.
  return /^(?:npx|bunx|pnpx|uvx|pipx|docker|podman)$/.test(command?.[0] ?? "")
    ? `${words}; \`${command?.[0]}\` may still be downloading it: run it once by hand, or install it`
    : words;
}

/** What to do where a server lets nobody in without a token. */
function authReason({ headers }: McpServer, web: Web): string {
  const hasToken = Object.keys(headers).some((name) => /^authorization$/i.test(name));
  const refused = hasToken
    ? `it does not take the token in \`Authorization\` (${web.status()})`
    : `it wants a token (${web.status()}): give it one with \`headers: { Authorization: "Bearer {{TOKEN}}" }\` and \`let TOKEN = secret("NAME")\``;
  return web.wantsSignIn()
    ? `${refused}. It signs people in with OAuth, which Weave does not: make a token where the server is run, or with a tool that signs in`
    : refused;
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
  if (thrown instanceof SseError) return thrown.code === undefined ? "unavailable" : statusKind(thrown.code);
  if (thrown instanceof TypeError) return "unavailable";
  return undefined;
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof TypeError ? (thrown.cause ?? thrown) : thrown;
  return thrownMessage(cause)
    .replace(/^MCP error -?\d+: /, "")
    .replace(/^(?:Streamable HTTP|SSE) error: /, "")
    .slice(0, 1_000);
}

const withWords = (message: string, words: string): string => (words === "" ? message : `${message}\n${words}`);
