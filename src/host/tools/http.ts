/**
 * Requests to web servers: tools bound with `http` and the module `std/http`. Answers are bounded; what a status means
 * is one kind of failure, with the wait that the server asked for.
 */
import { failure, isFailure, thrownMessage } from "../../runtime/failure.js";
import type { HttpRequest, ToolContext, ToolFunction } from "../../runtime/tool.js";
import { field, isFields } from "../../runtime/values.js";
import { statusKind } from "./status.js";

const mostBytes = 50 * 1024 * 1024;

export interface Response {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

export async function send(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  let response: globalThis.Response;
  try {
    response = await followed({ method: method.toUpperCase(), address: checked(url), headers, body }, signal, mostRedirects);
  } catch (thrown) {
    if (isFailure(thrown)) throw thrown;
    if (signal.aborted) throw failure("cancelled", "the request was aborted", { committed: "unknown" });
    const cause =
      isFields(thrown) || thrown instanceof Error ? thrownMessage((thrown as { cause?: unknown }).cause ?? thrown) : String(thrown);
    throw failure("unavailable", `${origin(url)} cannot be reached: ${cause}`, { committed: "unknown" });
  }
  return { status: response.status, headers: response.headers, bytes: await readBody(response, url) };
}

interface Request {
  readonly method: string;
  readonly address: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const mostRedirects = 5;

/** Sends a request and follows where it is sent on; what the tool declared as headers, keys maybe, goes to its own origin only. */
async function followed({ method, address, headers, body }: Request, signal: AbortSignal, left: number): Promise<globalThis.Response> {
  const response = await fetch(address, { method, headers, signal, redirect: "manual", ...(body === undefined ? {} : { body }) });
  const to = response.headers.get("location");
  if (![301, 302, 303, 307, 308].includes(response.status) || to === null) return response;
  await response.body?.cancel();
  const refused = (why: string) => failure("tool_error", `${address.origin} sends the request on ${why}`, { committed: "unknown" });
  if (left === 0) throw refused(`more than ${mostRedirects} times`);
  if (!URL.canParse(to, address.href)) throw refused("to what is no address");
  const next = new URL(to, address.href);
  if (next.protocol !== "https:" && !(next.protocol === "http:" && address.protocol === "http:"))
    throw refused(`to ${next.origin === "null" ? next.protocol : next.origin}, which is not as safe`);
  const keeps = response.status === 307 || response.status === 308 || method === "GET" || method === "HEAD";
  const elsewhere = next.origin !== address.origin;
  if (elsewhere && keeps && body !== undefined) throw refused(`to ${next.origin}, which would be given its body`);
  const accept = headers["accept"];
  return followed(
    {
      method: keeps ? method : "GET",
      address: next,
      headers: elsewhere ? (accept === undefined ? {} : { accept }) : keeps ? headers : withoutContent(headers),
      body: keeps ? body : undefined,
    },
    signal,
    left - 1,
  );
}

function withoutContent(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("content-")));
}

function checked(url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw failure("tool_error", `this is no address: ${url.slice(0, 200)}`);
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:")
    throw failure("tool_error", `only http and https addresses can be fetched, not ${parsed.protocol}`);
  return parsed;
}

function origin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

async function readBody(response: globalThis.Response, url: string): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of response.body) {
      size += part.byteLength;
      if (size > mostBytes)
        throw failure("tool_error", `${origin(url)} answered with more than ${mostBytes / 1024 / 1024} MB`, { committed: "yes" });
      parts.push(part);
    }
  } catch (thrown) {
    if (isFields(thrown) && "failure" in thrown) throw thrown;
    throw failure("unavailable", `the answer of ${origin(url)} broke off: ${thrownMessage(thrown)}`, { committed: "unknown" });
  }
  return Buffer.concat(parts);
}

/** A body as text, by the charset that the server says it has. */
function textOf({ headers, bytes }: Response, url: string): string {
  const charset = /charset\s*=\s*"?([^";\s]+)/i.exec(headers.get("content-type") ?? "")?.[1] ?? "utf-8";
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    throw failure("invalid_output", `${origin(url)} did not answer with text in ${charset}`, { committed: "yes" });
  }
}

/** The failure that a status other than 2xx is. */
function refused(url: string, { status, headers, bytes }: Response): never {
  const kind = statusKind(status);
  const wait = retryAfterMs(headers.get("retry-after"));
  const told = Buffer.from(bytes).toString("utf8").trim().slice(0, 300);
  throw failure(kind, `${origin(url)} answered ${status}${told === "" ? "" : `: ${told}`}`, {
    committed: status >= 500 ? "unknown" : "no",
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

/** Seconds, or a date. */
export function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

export async function httpTool(request: HttpRequest, context: ToolContext): Promise<unknown> {
  const url = withQuery(request.url, request.query);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== null) headers[name.toLowerCase()] = String(value);
  let body: string | undefined;
  if (request.body !== undefined && request.body !== null) {
    body = typeof request.body === "string" ? request.body : JSON.stringify(request.body);
    headers["content-type"] ??= typeof request.body === "string" ? "text/plain; charset=utf-8" : "application/json";
  }
  if (request.as === "json") headers["accept"] ??= "application/json";
  const response = await send(request.method, url, headers, body, context.signal);
  if (response.status < 200 || response.status >= 300) refused(url, response);
  if (request.as === "media" && request.pick === undefined) {
    const media = response.headers.get("content-type")?.split(";")[0]?.trim() || "application/octet-stream";
    return { data: Buffer.from(response.bytes).toString("base64"), media_type: media };
  }
  const text = textOf(response, url);
  if (request.as === "text" && request.pick === undefined) return text;
  if (text.trim() === "") return null;
  return picked(parsed(text, url), request.pick);
}

function parsed(body: string, url: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw failure("invalid_output", `${origin(url)} did not answer with JSON: ${body.trim().slice(0, 120)}`, { committed: "yes" });
  }
}

function withQuery(url: string, query: HttpRequest["query"]): string {
  if (query === undefined) return url;
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (each !== null && each !== undefined) params.append(name, typeof each === "object" ? JSON.stringify(each) : String(each));
    }
  }
  const text = params.toString();
  return text === "" ? url : `${url}${url.includes("?") ? "&" : "?"}${text}`;
}

/** The part of an answer at `items[0].name`. */
function picked(value: unknown, path: string | undefined): unknown {
  if (path === undefined || path === "") return value;
  let at = value;
  for (const part of path.replace(/^\$\.?/, "").split(/\.|\[|\]/)) {
    if (part === "") continue;
    at = Array.isArray(at) ? ((at as readonly unknown[])[Number(part)] ?? null) : field(at, part);
  }
  return at;
}

/** The module `std/http`. */
export const httpTools: Readonly<Record<string, ToolFunction>> = {
  get: async ({ url }, { signal }) => {
    const response = await send("get", String(url), {}, undefined, signal);
    return { status: response.status, body: textOf(response, String(url)) };
  },
  get_json: async ({ url }, { signal }) => {
    const response = await send("get", String(url), { accept: "application/json" }, undefined, signal);
    if (response.status < 200 || response.status >= 300) refused(String(url), response);
    return parsed(textOf(response, String(url)), String(url));
  },
  post_json: async ({ url, body }, { signal }) => {
    const response = await send(
      "post",
      String(url),
      { accept: "application/json", "content-type": "application/json" },
      JSON.stringify(body ?? null),
      signal,
    );
    if (response.status < 200 || response.status >= 300) refused(String(url), response);
    const text = textOf(response, String(url));
    return text.trim() === "" ? null : parsed(text, String(url));
  },
};
