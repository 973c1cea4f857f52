/**
 * From annotations to the policies of the graph. Defaults are filled in, bundles are opened (what is written at the
 * place itself overrides them), and an argument that is wrong (already reported) leaves its policy out.
 */
import { type AnnotationSpec, annotationTable } from "../semantics/annotation-table.js";
import { expandPolicy, givenArguments } from "../semantics/annotations.js";
import type { Annotation, Expr, PolicyDecl } from "../syntax/ast.js";
import type { CalleeRef, ExprIR, Policies } from "./ir.js";

export interface PolicyLowering {
  expr(e: Expr): ExprIR;
  callee(e: Expr): CalleeRef | undefined;
  /** The id of the model or callable that a name stands for. */
  candidate(e: Expr): string | undefined;
  /** Whether a number is a share (a float) rather than a count. */
  share(e: Expr): boolean;
  readonly policies: ReadonlyMap<string, PolicyDecl>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The policies that annotations ask for; `@after`, `@reads`, `@untrusted` and `@redact` are no policies. */
export function lowerPolicies(annotations: readonly Annotation[], lowering: PolicyLowering): Policies {
  const out: Mutable<Policies> = {};
  for (const [annotation, spec] of effective(annotations, lowering.policies)) {
    const given = givenArguments(annotation, spec);
    Object.assign(out, lowerOne(annotation.name.text, argumentsOf(given, lowering), lowering));
  }
  return out;
}

/** The annotations in force, bundles opened: of two of a name the one written at the place, else the first. */
function effective(
  annotations: readonly Annotation[],
  policies: ReadonlyMap<string, PolicyDecl>,
): readonly (readonly [Annotation, AnnotationSpec])[] {
  const byName = new Map<string, readonly [Annotation, AnnotationSpec]>();
  const add = (annotation: Annotation): void => {
    const name = annotation.name.text;
    const spec = annotationTable.get(name);
    if (spec !== undefined && !byName.has(name)) byName.set(name, [annotation, spec]);
  };
  annotations.forEach(add);
  for (const { name } of annotations) {
    const policy = annotationTable.has(name.text) ? undefined : policies.get(name.text);
    if (policy !== undefined) expandPolicy(policy, policies).forEach(add);
  }
  return [...byName.values()];
}

interface Arguments {
  /** The argument as written. */
  raw(name: string): Expr | undefined;
  all(name: string): readonly Expr[];
  expr(name: string): ExprIR | undefined;
  /** The argument, or a constant where it was not given. */
  or(name: string, fallback: number | boolean): ExprIR;
  text(name: string): string | undefined;
}

function argumentsOf(given: ReadonlyMap<string, readonly Expr[]>, lowering: PolicyLowering): Arguments {
  const raw = (name: string): Expr | undefined => given.get(name)?.[0];
  const expr = (name: string): ExprIR | undefined => {
    const found = raw(name);
    return found === undefined ? undefined : lowering.expr(found);
  };
  return {
    raw,
    all: (name) => given.get(name) ?? [],
    expr,
    or: (name, value) => expr(name) ?? { kind: "const", value },
    text: (name) => {
      const found = raw(name);
      return found?.kind === "Text" ? found.value : undefined;
    },
  };
}

const SECOND = 1000;

function lowerOne(name: string, args: Arguments, lowering: PolicyLowering): Policies {
  const single = <K extends string>(key: K, argument: string): { [P in K]: ExprIR } | undefined => {
    const value = args.expr(argument);
    return value === undefined ? undefined : ({ [key]: value } as { [P in K]: ExprIR });
  };
  switch (name) {
    case "retry": {
      const times = args.expr("n");
      if (times === undefined) return {};
      return {
        retry: {
          times,
          backoff: args.or("backoff", SECOND),
          factor: args.or("factor", 2),
          max: args.or("max", 60 * SECOND),
          jitter: args.or("jitter", true),
          ...single("on", "on"),
        },
      };
    }
    case "timeout":
      return optional("timeout", single("after", "after"));
    case "budget":
      return {
        budget: { ...single("cost", "cost"), ...single("tokens", "tokens"), ...single("calls", "calls"), ...single("time", "time") },
      };
    case "reserve":
      return optional("reserve", single("cost", "cost"));
    case "parallel":
      return optional("parallel", single("max", "max"));
    case "min_success": {
      const raw = args.raw("value");
      return raw === undefined ? {} : { minSuccess: { value: lowering.expr(raw), share: lowering.share(raw) } };
    }
    case "fallback": {
      const callees = args.all("callable").flatMap((e) => lowering.callee(e) ?? []);
      return callees.length === 0 ? {} : { fallback: callees };
    }
    case "breaker":
      return {
        breaker: { failures: args.or("failures", 5), window: args.or("window", 60 * SECOND), cooldown: args.or("cooldown", 30 * SECOND) },
      };
    case "rate": {
      const rate = args.raw("rate");
      return rate?.kind === "Number" && rate.value > 0 ? { rate: { perSecond: rate.value } } : {};
    }
    case "priority": {
      const level = args.text("level");
      return level === "low" || level === "normal" || level === "high" || level === "urgent" ? { priority: level } : {};
    }
    case "cache":
      return optional("cache", single("ttl", "ttl"));
    case "compensate": {
      const undo = args.raw("undo");
      const callee = undo === undefined ? undefined : lowering.callee(undo);
      return callee === undefined ? {} : { compensate: { callee } };
    }
    case "idempotent":
      return { idempotent: { ...single("key", "key") } };
    case "lock": {
      const lock = args.expr("name");
      return lock === undefined ? {} : { lock: { name: lock, scope: args.text("scope") === "global" ? "global" : "run" } };
    }
    case "isolate": {
      const resolve = args.raw("resolve");
      const callee = resolve === undefined ? undefined : lowering.callee(resolve);
      return { isolate: { mode: "worktree", ...(callee === undefined ? {} : { resolve: callee }) } };
    }
    case "approve":
      return optional("approve", single("why", "why"));
    case "hedge":
      return optional("hedge", single("after", "after"));
    case "cost":
      return optional("cost", single("value", "cost"));
    case "latency":
      return optional("latency", single("value", "latency"));
    case "quality":
      return optional("quality", single("value", "quality"));
    case "max_cost":
      return optional("maxCost", single("value", "cost"));
    case "max_latency":
      return optional("maxLatency", single("value", "latency"));
    case "prefer": {
      const ids = args.all("x").flatMap((e) => lowering.candidate(e) ?? []);
      return ids.length === 0 ? {} : { prefer: ids };
    }
    default:
      return {};
  }
}

const optional = <K extends keyof Policies>(key: K, value: Policies[K] | undefined): Policies =>
  value === undefined ? {} : { [key]: value };
