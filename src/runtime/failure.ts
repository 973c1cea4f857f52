/**
 * The one taxonomy of what goes wrong in a run. Everything that a tool, a provider or an expression throws becomes a
 * `CallFailure` here: a plain value with a kind, a message in the user's words, the path of the call it came from and,
 * for effects, whether the effect took place. Policies, reports and `recover` look at nothing else.
 */

export const failureKinds = [
  "timeout",
  "rate_limit",
  "overloaded",
  "unavailable",
  "context_too_long",
  "invalid_output",
  "refused",
  "auth",
  "budget_exceeded",
  "tool_error",
  "assertion",
  "denied",
  "plan_rejected",
  "skipped",
  "cancelled",
] as const;

export type FailureKind = (typeof failureKinds)[number];
export type Committed = "no" | "yes" | "unknown";

export interface ItemFailure {
  readonly index: number;
  readonly key: string;
  readonly error: FailureValue;
}

/** What a failed fan-out still has. */
export interface PartialResult {
  readonly ok: readonly unknown[];
  readonly failed: readonly ItemFailure[];
}

/** A failure as a program sees it. */
export interface FailureValue {
  readonly kind: FailureKind;
  readonly message: string;
  readonly call: string;
  readonly attempts: number;
  readonly committed: Committed;
}

/** A failure with all that a resumed run needs of it. */
export interface KeptFailure extends FailureValue {
  /** Where the budget was opened that refused. */
  readonly account?: string;
  readonly partial?: PartialResult;
  /** What it came from, nearest first. */
  readonly causes?: readonly FailureValue[];
}

export interface CallFailure {
  readonly failure: true;
  readonly kind: FailureKind;
  readonly message: string;
  /** Stable path of the call it came from; empty until the call is known. */
  readonly path: string;
  readonly attempts: number;
  readonly committed: Committed;
  readonly cause?: CallFailure;
  /** How long the other side asked to wait. */
  readonly retryAfterMs?: number;
  readonly partial?: PartialResult;
  /** The budget that refused, to tell budgets opened inside a `try` from those around it. */
  readonly account?: object;
}

/** Retried by default. */
export const transientKinds: ReadonlySet<string> = new Set(["timeout", "rate_limit", "overloaded", "unavailable"]);
/** Fail a fan-out fast. */
export const permanentKinds: ReadonlySet<string> = new Set(["auth", "budget_exceeded"]);
/** The other side said that it did nothing. */
const rejectedKinds: ReadonlySet<string> = new Set([
  "rate_limit",
  "overloaded",
  "auth",
  "refused",
  "denied",
  "context_too_long",
  "skipped",
]);
const kindSet: ReadonlySet<string> = new Set(failureKinds);

type More = Partial<Omit<CallFailure, "failure" | "kind" | "message">>;

export function failure(kind: FailureKind, message: string, more?: More): CallFailure {
  return { failure: true, kind, message, path: "", attempts: 0, committed: "no", ...more };
}

export function isFailureKind(kind: unknown): kind is FailureKind {
  return typeof kind === "string" && kindSet.has(kind);
}

export function isFailure(thrown: unknown): thrown is CallFailure {
  return typeof thrown === "object" && thrown !== null && (thrown as { failure?: unknown }).failure === true && "kind" in thrown;
}

/** The same failure, told where it happened. A failure keeps the innermost path. */
export function located(found: CallFailure, path: string, attempts: number): CallFailure {
  if (found.path !== "") return found;
  return { ...found, path, attempts };
}

export function failureValue(found: CallFailure): FailureValue {
  return { kind: found.kind, message: found.message, call: found.path, attempts: found.attempts, committed: found.committed };
}

/** Failures from the one that ended things to the one that started it. */
export function causes(found: CallFailure): readonly CallFailure[] {
  const chain: CallFailure[] = [];
  for (let at: CallFailure | undefined = found; at !== undefined; at = at.cause) chain.push(at);
  return chain;
}

/**
 * Turns anything thrown into a failure; `kind` is used where the thrown value names none. Only the run cancels: what a
 * tool or provider gave up by itself, with whatever name, is a failure like any other.
 */
export function toFailure(thrown: unknown, kind: FailureKind, effect: boolean): CallFailure {
  if (isFailure(thrown)) return thrown;
  const named = property(thrown, "kind");
  const late = property(thrown, "name") === "TimeoutError";
  const found: FailureKind = isFailureKind(named) && named !== "cancelled" ? named : late ? "timeout" : kind;
  const told = property(thrown, "committed");
  const committed: Committed =
    told === "no" || told === "yes" || told === "unknown" ? told : !effect || rejectedKinds.has(found) ? "no" : "unknown";
  const retryAfter = property(thrown, "retryAfterMs");
  return failure(found, thrownMessage(thrown), {
    committed,
    ...(typeof retryAfter === "number" && retryAfter >= 0 ? { retryAfterMs: retryAfter } : {}),
  });
}

function property(thrown: unknown, name: string): unknown {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** One or a few lines that say what was thrown, never a stack. */
export function thrownMessage(thrown: unknown): string {
  const message = property(thrown, "message");
  if (typeof message === "string" && message.trim() !== "") return message;
  if (typeof thrown === "string") return thrown === "" ? "an empty text was thrown" : thrown;
  if (thrown === undefined) return "`undefined` was thrown instead of an error";
  if (thrown === null) return "`null` was thrown instead of an error";
  if (typeof thrown === "object" || typeof thrown === "function") {
    const name = property(property(thrown, "constructor"), "name");
    try {
      const text = JSON.stringify(thrown);
      if (text !== undefined && text !== "{}")
        return `${text.length > 300 ? `${text.slice(0, 300)}…` : text} was thrown instead of an error`;
    } catch {
      // A value that cannot be written as JSON is named by its constructor below.
    }
    return `${typeof name === "string" && name !== "" ? `a ${name}` : "an object"} without a message was thrown`;
  }
  return `${String(thrown)} was thrown instead of an error`;
}
