/**
 * What a program printed, as an answer: text as it is, or JSON in one of the forms that are known (one value, or one a
 * line). `auto` takes a form only by marks that no answer has by chance; everything else is the answer itself. Usage and
 * cost are those that the form reports.
 */
import { type CallFailure, failure, isFailureKind } from "../../runtime/failure.js";
import type { ModelAnswer, ModelRequest, Usage } from "../../runtime/provider.js";
import { hideSecrets, kindOf } from "./provider-failure.js";

export type CommandOutput = "auto" | "text" | "json";

export type ReadOutput =
  | { readonly kind: "answer"; readonly answer: ModelAnswer }
  | { readonly kind: "failed"; readonly message: string; readonly as?: string | undefined; readonly usage?: Usage | undefined };

type Fields = Readonly<Record<string, unknown>>;

/** Reads all that a program printed. */
export function readOutput(out: string, as: CommandOutput, request: ModelRequest): ReadOutput {
  const plain: ReadOutput = { kind: "answer", answer: answerOf(out.replace(/\r?\n$/, ""), undefined, "stop") };
  if (as === "text") return plain;
  const values = jsonIn(out);
  const found = values.length === 0 ? undefined : (claude(values) ?? codex(values) ?? gemini(values));
  if (found !== undefined) return priced(found, request);
  if (as === "auto") return plain;
  const own = ownForm(values.at(-1));
  return own === undefined
    ? { kind: "failed", message: 'it printed no JSON with an answer, such as { "text": "…" }', as: "invalid_output" }
    : priced(own, request);
}

/** A cost without tokens: of those at most as many as were allowed. */
function priced(read: Found, request: ModelRequest): ReadOutput {
  const { usage } = read;
  const whole: Usage | undefined =
    usage?.inputTokens !== undefined && usage.outputTokens !== undefined
      ? { ...usage, inputTokens: usage.inputTokens, outputTokens: usage.outputTokens }
      : usage?.costUsd === undefined
        ? undefined
        : { inputTokens: request.inputBound, outputTokens: request.maxOutput, costUsd: usage.costUsd };
  if (read.failed !== undefined) return { kind: "failed", message: read.failed, as: read.as, usage: whole };
  return { kind: "answer", answer: answerOf(read.text, whole, read.finish) };
}

function answerOf(text: string, usage: Usage | undefined, finish: ModelAnswer["finish"]): ModelAnswer {
  return { text, toolCalls: [], usage, finish };
}

/** JSON as one value, as a list of values, or as one value a line; empty where it is none of them. */
function jsonIn(out: string): readonly unknown[] {
  const text = out.trim();
  const whole = parsed(text);
  if (whole !== undefined) return Array.isArray(whole.value) ? whole.value : [whole.value];
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  // Notices of the program may stand between its events.
  return lines.flatMap((line) => {
    const one = line.trimStart().startsWith("{") ? parsed(line) : undefined;
    return one === undefined ? [] : [one.value];
  });
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

interface Found {
  readonly text: string;
  readonly failed?: string | undefined;
  readonly as?: string | undefined;
  readonly finish: ModelAnswer["finish"];
  readonly usage: Partial<Usage> | undefined;
}

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const textIn = (of: Fields, name: string): string | undefined => (typeof of[name] === "string" ? (of[name] as string) : undefined);
const numberIn = (of: Fields, name: string): number | undefined => {
  const value = of[name];
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
};

/** `claude -p --output-format json` or `stream-json`: the last message is the result. */
function claude(values: readonly unknown[]): Found | undefined {
  const result = values.findLast((value) => isFields(value) && value["type"] === "result" && typeof value["subtype"] === "string");
  if (!isFields(result)) return undefined;
  const told = isFields(result["usage"]) ? result["usage"] : {};
  const [input, output] = [numberIn(told, "input_tokens"), numberIn(told, "output_tokens")];
  const cached = numberIn(told, "cache_read_input_tokens") ?? 0;
  const written = numberIn(told, "cache_creation_input_tokens") ?? 0;
  const cost = numberIn(result, "total_cost_usd");
  const usage: Partial<Usage> = {
    ...(input === undefined ? {} : { inputTokens: input + cached + written }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(cached > 0 ? { cachedInputTokens: cached } : {}),
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
  const structured = result["structured_output"];
  const text = structured === undefined || structured === null ? textIn(result, "result") : JSON.stringify(structured);
  const subtype = String(result["subtype"]);
  // A limit of its own will be met again.
  const as = subtype.startsWith("error_max") ? "refused" : undefined;
  if (result["is_error"] === true || text === undefined)
    return { text: "", failed: text ?? `it ended with ${subtype}`, as, finish: "stop", usage };
  const stop = result["stop_reason"];
  return { text, finish: stop === "refusal" ? "refused" : stop === "max_tokens" ? "length" : "stop", usage };
}

/** `codex exec --json`: events, one a line; the last message of the agent is the answer. */
function codex(values: readonly unknown[]): Found | undefined {
  const events = values.filter((value): value is Fields => isFields(value) && /^(?:thread|turn|item)\./.test(String(value["type"])));
  if (!events.some((event) => /^(?:thread\.started|turn\.)/.test(String(event["type"])))) return undefined;
  const of = (type: string): readonly Fields[] => events.filter((event) => event["type"] === type);
  const ended = of("turn.completed");
  const told = ended.flatMap((event) => (isFields(event["usage"]) ? [event["usage"]] : []));
  const total = (name: string): number => told.reduce((sum, usage) => sum + (numberIn(usage, name) ?? 0), 0);
  const usage: Partial<Usage> | undefined =
    told.length === 0
      ? undefined
      : {
          inputTokens: total("input_tokens"),
          outputTokens: total("output_tokens"),
          ...(total("cached_input_tokens") > 0 ? { cachedInputTokens: total("cached_input_tokens") } : {}),
          ...(total("reasoning_output_tokens") > 0 ? { reasoningTokens: total("reasoning_output_tokens") } : {}),
        };
  const [failed] = of("turn.failed");
  const error = failed?.["error"];
  if (failed !== undefined)
    return { text: "", failed: (isFields(error) ? textIn(error, "message") : undefined) ?? "its turn failed", finish: "stop", usage };
  const said = of("item.completed").flatMap((event) => messageOf(event) ?? []);
  if (ended.length === 0) return { text: "", failed: "it ended in the middle of its turn", as: "unavailable", finish: "stop", usage };
  return { text: said.at(-1) ?? "", finish: "stop", usage };
}

function messageOf(event: Fields): string | undefined {
  const { item } = event;
  return isFields(item) && item["type"] === "agent_message" ? textIn(item, "text") : undefined;
}

/** `gemini --output-format json`. */
function gemini(values: readonly unknown[]): Found | undefined {
  const result = values.findLast((value) => isFields(value) && isFields(value["stats"]) && ("response" in value || "error" in value));
  if (!isFields(result) || !isFields(result["stats"])) return undefined;
  const models = isFields(result["stats"]["models"]) ? Object.values(result["stats"]["models"]) : [];
  const tokens = models.flatMap((model) => (isFields(model) && isFields(model["tokens"]) ? [model["tokens"]] : []));
  const total = (name: string): number => tokens.reduce((sum, each) => sum + (numberIn(each, name) ?? 0), 0);
  const usage: Partial<Usage> | undefined =
    tokens.length === 0
      ? undefined
      : {
          inputTokens: total("prompt") + total("tool"),
          outputTokens: total("candidates") + total("thoughts"),
          ...(total("cached") > 0 ? { cachedInputTokens: total("cached") } : {}),
          ...(total("thoughts") > 0 ? { reasoningTokens: total("thoughts") } : {}),
        };
  const { error } = result;
  if (isFields(error)) return { text: "", failed: textIn(error, "message") ?? "it failed", finish: "stop", usage };
  return { text: textIn(result, "response") ?? "", finish: "stop", usage };
}

/** The form for programs of one's own: `{ text | value, usage, cost_usd, finish }` or `{ error: { kind, message } }`. */
function ownForm(value: unknown): Found | undefined {
  if (!isFields(value)) return undefined;
  const told = isFields(value["usage"]) ? value["usage"] : {};
  const names = {
    inputTokens: "input_tokens",
    outputTokens: "output_tokens",
    cachedInputTokens: "cached_input_tokens",
    cacheWriteTokens: "cache_write_tokens",
    reasoningTokens: "reasoning_tokens",
  };
  const cost = numberIn(value, "cost_usd");
  const usage: Partial<Usage> = {
    ...Object.fromEntries(
      Object.entries(names).flatMap(([name, written]) => {
        const count = numberIn(told, written);
        return count === undefined ? [] : [[name, count]];
      }),
    ),
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
  const { error } = value;
  if (isFields(error))
    return { text: "", failed: textIn(error, "message") ?? "it failed", as: textIn(error, "kind"), finish: "stop", usage };
  const text = textIn(value, "text") ?? (value["value"] === undefined ? undefined : JSON.stringify(value["value"]));
  if (text === undefined) return undefined;
  const finish = value["finish"] === "length" || value["finish"] === "refused" ? value["finish"] : "stop";
  return { text, finish, usage };
}

// ------------------------------------------------------------------------------------------------ on the way

/** Tells text while a program prints it: pieces of plain text, and the messages of events, one a line. */
export function deltasOf(
  as: CommandOutput,
  secrets: readonly string[],
  tell: (text: string) => void,
): { readonly push: (bytes: Uint8Array) => void; readonly end: () => void } {
  const decoder = new TextDecoder();
  // A secret may come in two pieces, so as much as may be one is held back.
  const held = Math.max(0, ...secrets.map((secret) => secret.length - 1));
  let form: "text" | "json" | undefined = as === "auto" ? undefined : as;
  let rest = "";
  const text = (keep: number): void => {
    const hidden = keep === 0 ? hideSecrets(rest, secrets) : secrets.reduce((out, secret) => out.split(secret).join("[key]"), rest);
    const piece = hidden.slice(0, Math.max(0, hidden.length - keep));
    rest = hidden.slice(piece.length);
    if (piece !== "") tell(piece);
  };
  const lines = (): void => {
    const all = rest.split("\n");
    rest = all.pop() ?? "";
    for (const line of all) for (const said of saidIn(line)) tell(hideSecrets(said, secrets));
  };
  const look = (last: boolean): void => {
    form ??= /\S/.test(rest) ? (/^\s*[{[]/.test(rest) ? "json" : "text") : undefined;
    if (form === "text") text(last ? 0 : held);
    else if (form === "json") lines();
  };
  return {
    push(bytes) {
      rest += decoder.decode(bytes, { stream: true });
      look(false);
    },
    end() {
      rest += decoder.decode();
      look(true);
    },
  };
}

function saidIn(line: string): readonly string[] {
  const event = line.trimStart().startsWith("{") ? parsed(line)?.value : undefined;
  if (!isFields(event)) return [];
  if (event["type"] === "item.completed") return [messageOf(event) ?? []].flat();
  const { message } = event;
  if (event["type"] !== "assistant" || !isFields(message) || !Array.isArray(message["content"])) return [];
  return message["content"].flatMap((part: unknown) => (isFields(part) && part["type"] === "text" ? (textIn(part, "text") ?? []) : []));
}

// --------------------------------------------------------------------------------------------------- failures

export interface Ended {
  readonly program: string;
  readonly code: number;
  /** What it says that went wrong. */
  readonly said: string;
  readonly err: string;
  readonly read: ReadOutput;
}

/** The failure of a program that ended without an answer. */
export function failureOf({ program, code, said, err, read }: Ended): CallFailure & { usage?: Usage; usageUnknown?: boolean } {
  const why = said === "" ? tail(err) : said;
  const named = read.kind === "failed" && isFailureKind(read.as) ? read.as : undefined;
  const kind = named ?? kindOfText(`${said}\n${err}`, code);
  const how = code === 0 ? "" : ` with code ${code}`;
  const text = why.replace(/\s+/g, " ").trim();
  const found = failure(kind, `${program} failed${how}${text === "" ? "" : `: ${text.length > 400 ? `${text.slice(0, 400)}…` : text}`}`);
  const usage = read.kind === "failed" ? read.usage : read.answer.usage;
  return usage === undefined ? { ...found, usageUnknown: true } : { ...found, usage };
}

function tail(text: string): string {
  return text.trim().split("\n").slice(-3).join("\n");
}

/** Codes by which programs say that they were started wrongly, or may not do what they should. */
const startedWrongly: ReadonlySet<number> = new Set([2, 64, 126, 127]);

function kindOfText(text: string, code: number): CallFailure["kind"] {
  const status = /\b(?:API Error|HTTP|status(?: code)?)\W{0,3}([45]\d\d)\b/i.exec(text)?.[1];
  if (status !== undefined) return kindOf(Number(status), text);
  const byText = kindOf(undefined, text);
  if (byText !== "unavailable") return byText;
  return code === 77 ? "auth" : startedWrongly.has(code) ? "refused" : "unavailable";
}
