/**
 * What goes wrong at a provider, as a failure: which kind it is, in words without anything secret, how long to wait, and
 * what is known about what it cost. Nothing that a further attempt cannot mend is of a kind that is retried.
 */
import { type CallFailure, type FailureKind, failure, isFailure, thrownMessage } from "../../runtime/failure.js";
import type { Usage } from "../../runtime/provider.js";

export interface Circumstances {
  readonly provider: string;
  readonly model: string;
  /** Where the key came from, for messages. */
  readonly keyFrom: string;
  readonly key: string | undefined;
  /** Whether an answer had begun to come. */
  readonly begun: boolean;
  readonly aborted: boolean;
  /** Milliseconds since 1970. */
  readonly wall: number;
}

type Told = CallFailure & { readonly usage?: Usage; readonly usageUnknown?: boolean };

export const nothingUsed: Usage = { inputTokens: 0, outputTokens: 0 };

/** The connection never came about, so nothing was sent. */
const neverSent: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);
const tooSlow: ReadonlySet<string> = new Set(["ETIMEDOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

/** The failure that a thrown value or an error in a stream stands for. */
export function providerFailure(thrown: unknown, at: Circumstances): Told {
  if (isFailure(thrown)) return at.begun ? { ...thrown, usageUnknown: true } : thrown;
  // What an aborted request has cost is not known.
  if (at.aborted) return { ...failure("cancelled", "the request was aborted"), usageUnknown: true };
  const status = numberIn(thrown, "statusCode");
  const network = networkCode(thrown);
  if (network !== undefined && (status === undefined || status < 400)) return unreachable(network, at);
  const body = told(thrown);
  const kind = kindOf(status, body);
  const wait = retryAfter(thrown, body, at.wall);
  const found = failure(kind, message(kind, status, thrown, at), wait === undefined ? {} : { retryAfterMs: wait });
  const unknown = at.begun || status === undefined || status === 408 || status === 504;
  return unknown ? { ...found, usageUnknown: true } : { ...found, usage: nothingUsed };
}

/** An answer that ended before it was complete. */
export function cutOff(at: Circumstances): Told {
  return { ...failure("unavailable", `${at.provider} ended the answer in the middle`), usageUnknown: true };
}

function unreachable(code: string, at: Circumstances): Told {
  if (neverSent.has(code)) return { ...failure("unavailable", `${at.provider} cannot be reached (${code})`), usage: nothingUsed };
  if (tooSlow.has(code)) return { ...failure("timeout", `${at.provider} did not answer in time (${code})`), usageUnknown: true };
  const how = at.begun ? "in the middle of the answer" : "before it answered";
  return { ...failure("unavailable", `the connection to ${at.provider} broke ${how} (${code})`), usageUnknown: true };
}

const tooLong =
  /context[_ ](?:length|window|size)|maximum context|prompt is too long|input is too long|too many (?:input )?tokens|exceeds? the (?:maximum|available|model)|input token count|request too large|request_too_large/i;
const filtered = /content[_ ](?:filter|policy)|safety system|responsibleai|flagged/i;
const noAccess = /api[_ ]key[_ ](?:not valid|invalid)|invalid[_ ]api[_ ]key|insufficient_quota|credit balance|billing|authentication/i;

/** The kind of a failure by an HTTP status, where there is one, and by what was said. */
export function kindOf(status: number | undefined, body: string): FailureKind {
  if (status === undefined) {
    if (/overloaded/i.test(body)) return "overloaded";
    if (/rate[_ -]?limit|usage limit|too many requests/i.test(body)) return "rate_limit";
    if (tooLong.test(body)) return "context_too_long";
    if (noAccess.test(body) || /not logged in|please (?:run )?log ?in/i.test(body)) return "auth";
    if (/timed? ?out/i.test(body)) return "timeout";
    return "unavailable";
  }
  if (status === 401 || status === 402 || status === 403) return "auth";
  if (status === 429) return noAccess.test(body) ? "auth" : "rate_limit";
  if (status === 408 || status === 504) return "timeout";
  if (status === 503 || status === 529 || (status >= 500 && /overloaded/i.test(body))) return "overloaded";
  if (status >= 500) return "unavailable";
  if (status === 413 || tooLong.test(body)) return "context_too_long";
  if (noAccess.test(body)) return "auth";
  // Whatever else it refuses, it will refuse again.
  return "refused";
}

function message(kind: FailureKind, status: number | undefined, thrown: unknown, at: Circumstances): string {
  const { provider, model, keyFrom } = at;
  const code = status === undefined ? "" : ` (${status})`;
  const said = readable(thrownMessage(thrown), at);
  const detail = said === "" ? "" : `: ${said}`;
  switch (kind) {
    case "auth":
      return status === 401
        ? `${provider} does not accept the key in ${keyFrom}${code}`
        : `${provider} denies access with the key in ${keyFrom}${code}${detail}`;
    case "rate_limit":
      return `${provider} allows no more requests to ${model} for now${code}${detail}`;
    case "overloaded":
      return `${provider} is overloaded${code}${detail}`;
    case "timeout":
      return `${provider} gave up waiting${code}${detail}`;
    case "context_too_long":
      return `the request is too long for ${model}${code}${detail}`;
    case "refused":
      return filtered.test(told(thrown))
        ? `the content filter of ${provider} refused the request${code}${detail}`
        : `${provider} refused the request to ${model}${code}${detail}`;
    default:
      return `${provider} failed${code}${detail}`;
  }
}

/** A message of the other side on one line, of bounded length, without the key or anything that begins like it. */
function readable(text: string, { key }: Circumstances): string {
  const line = text.replace(/\s+/g, " ").trim();
  const hidden = hideSecrets(line, key === undefined ? [] : [key]);
  return hidden.length > 400 ? `${hidden.slice(0, 400)}…` : hidden;
}

/** A text without these secrets or anything that begins like one of them; short ones could be any word. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  let out = text;
  for (const secret of secrets) if (secret.length >= 8) out = out.split(secret).join("[key]").replace(startsLike(secret), "[key]");
  return out;
}

function startsLike(key: string): RegExp {
  const start = key.slice(0, 6).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`${start}[^\\s"',;]*`, "g");
}

/** What the other side said about the failure. */
function told(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return "";
  const { message: text, type, code, responseBody, data } = thrown as Record<string, unknown>;
  const parts = [text, type, code, responseBody].filter((part) => typeof part === "string");
  return [...parts, typeof data === "object" && data !== null ? JSON.stringify(data) : ""].join(" ");
}

function retryAfter(thrown: unknown, body: string, wall: number): number | undefined {
  const headers = property(thrown, "responseHeaders");
  const header = (name: string): string | undefined => {
    const value = property(headers, name);
    return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
  };
  const exact = Number(header("retry-after-ms") ?? Number.NaN);
  if (exact >= 0) return exact;
  const after = header("retry-after");
  if (after !== undefined) {
    const seconds = Number(after);
    if (seconds >= 0) return seconds * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(0, date - wall);
  }
  const delay = /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"/.exec(body)?.[1];
  return delay === undefined ? undefined : Number(delay) * 1000;
}

/** The code of a network failure, wherever in the chain of causes it stands. */
function networkCode(thrown: unknown): string | undefined {
  let at = thrown;
  for (let depth = 0; depth < 8 && typeof at === "object" && at !== null; depth++) {
    const code = property(at, "code");
    if (typeof code === "string" && /^(?:E[A-Z]{3,}|UND_ERR_\w+|EAI_\w+)$/.test(code)) return code;
    const [first] = (property(at, "errors") as readonly unknown[] | undefined) ?? [];
    at = property(at, "cause") ?? first;
  }
  return property(thrown, "name") === "TypeError" && /terminated|fetch failed/.test(thrownMessage(thrown)) ? "ECONNRESET" : undefined;
}

function numberIn(thrown: unknown, name: string): number | undefined {
  const value = property(thrown, name);
  return typeof value === "number" ? value : undefined;
}

function property(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? (of as Record<string, unknown>)[name] : undefined;
}
