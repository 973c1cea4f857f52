/**
 * Annotations: whether each exists, may stand where it stands, has the arguments it needs, and agrees with the others
 * and with what the annotated thing can reach. Bundles (`policy careful { … }`, used as `@careful`) are opened: what
 * they hold must fit the place where they are used. The table of all annotations is in `annotation-table.ts`.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Fix, type Problems, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Annotation, Expr, PolicyDecl } from "../syntax/ast.js";
import { type AnnotationCallable, type ArgumentContext, checkArguments, constantOf, type Given } from "./annotation-arguments.js";
import { type AnnotationSpec, annotationTable, OTHER_NAMES, SELECTION, type TargetKind, targetName } from "./annotation-table.js";
import { assignable, mismatch } from "./relate.js";
import { type CallableType, type EffectKind, expand, isError, recordOf, STRING, type Type, typeText } from "./types.js";

export type { AnnotationCallable } from "./annotation-arguments.js";
export { annotationTable, type TargetKind } from "./annotation-table.js";

/** What annotations stand before, with what is known of it. Everything but `kind` may be left out: it is then not checked. */
export interface AnnotationTarget {
  readonly kind: TargetKind;
  /** The declared callable itself, or the callable that is called. */
  readonly callee?: AnnotationCallable;
  /** What it can reach: looked for only where an annotation asks for it. */
  readonly reach?: () => Reach;
  /** The annotations of the called declaration. */
  readonly annotations?: readonly Annotation[];
  /** The type of the value. */
  readonly result?: Type | undefined;
  /** A tool that is declared with `effect`. */
  readonly declaredEffect?: boolean;
  /** The name of a built-in function. */
  readonly name?: string;
}

export interface Reach {
  readonly effect: EffectKind;
  /** Names of the effects that are neither idempotent nor isolated. */
  readonly unsafe: readonly string[];
}

export interface AnnotationContext extends ArgumentContext {
  /** Bundles usable here, by name. */
  readonly policies: ReadonlyMap<string, PolicyDecl>;
}

/** An annotation that is in force: written here, or held by a bundle that is. */
interface InForce {
  readonly name: string;
  readonly annotation: Annotation;
  readonly spec: AnnotationSpec;
  readonly given: Given;
  /** The use of the bundle that holds it. */
  readonly through: Annotation | undefined;
}

/** Checks all annotations of one place; see `AnnotationTarget` for what is asked of it. */
export function checkAnnotations(annotations: readonly Annotation[], target: AnnotationTarget, context: AnnotationContext): void {
  const { problems, policies } = context;
  const seen = new Map<string, Annotation>();
  const inForce = new Map<string, InForce>();
  for (const annotation of annotations) {
    const name = annotation.name.text;
    if (name === "") continue;
    const before = seen.get(name);
    if (before !== undefined) {
      problems.report(d.annotationTwice, annotation.span, { name }, { related: [{ span: before.span, message: "first here" }] });
      continue;
    }
    seen.set(name, annotation);
    const spec = annotationTable.get(name);
    if (spec === undefined) {
      openBundle(annotation, target, context, inForce);
      continue;
    }
    const given = checkArguments(annotation, spec, context);
    if (!mayStand(spec, target)) {
      problems.report(d.annotationTarget, annotation.span, { name, target: shown(target), place: spec.place });
      continue;
    }
    inForce.set(name, { name, annotation, spec, given, through: undefined });
  }
  if (policies.size > 0 && target.kind === "bundle") reportCycles(annotations, policies, problems);
  checkTogether(inForce, target, context);
  for (const found of inForce.values()) checkOne(found, target, context);
  checkEffects(inForce, target, problems);
}

const mayStand = (spec: AnnotationSpec, target: AnnotationTarget): boolean => target.kind === "bundle" || spec.targets.has(target.kind);

function shown(target: AnnotationTarget): string {
  if (target.kind === "builtin" && target.name !== undefined) return `a call of the built-in function \`${target.name}\``;
  return targetName[target.kind];
}

/** A name that is no annotation of the language: a bundle, or a mistake. */
function openBundle(annotation: Annotation, target: AnnotationTarget, context: AnnotationContext, inForce: Map<string, InForce>): void {
  const { problems, policies } = context;
  const name = annotation.name.text;
  const policy = policies.get(name);
  if (policy === undefined) {
    const near = OTHER_NAMES.get(name) ?? nearest(name, [...annotationTable.keys(), ...policies.keys()]);
    const fixes: readonly Fix[] =
      near === undefined ? [] : [{ title: `write \`@${near}\``, edits: [{ span: annotation.name.span, text: near }] }];
    problems.report(d.unknownAnnotation, annotation.name.span, { name, near }, { fixes });
    return;
  }
  context.nameKnown(name);
  if (annotation.args !== undefined) problems.report(d.policyArguments, annotation.span, { name });
  if (target.kind === "bundle") return;
  for (const held of expandPolicy(policy, policies)) {
    const heldName = held.name.text;
    const spec = annotationTable.get(heldName);
    if (spec === undefined) continue;
    if (!mayStand(spec, target)) {
      problems.report(
        d.policyTarget,
        annotation.span,
        { policy: name, name: heldName, target: shown(target), place: spec.place },
        { related: [{ span: held.span, message: "held here" }] },
      );
      continue;
    }
    // What is written at the place itself overrides a bundle; of two bundles the first wins.
    if (!inForce.has(heldName))
      inForce.set(heldName, { name: heldName, annotation: held, spec, given: givenArguments(held, spec), through: annotation });
  }
}

/** The annotations that a bundle stands for, bundles in it opened. */
export function expandPolicy(
  policy: PolicyDecl,
  policies: ReadonlyMap<string, PolicyDecl>,
  seen: ReadonlySet<PolicyDecl> = new Set(),
): readonly Annotation[] {
  if (seen.has(policy)) return [];
  const inside = new Set([...seen, policy]);
  return policy.bundle.flatMap((annotation) => {
    const inner = annotationTable.has(annotation.name.text) ? undefined : policies.get(annotation.name.text);
    return inner === undefined ? [annotation] : expandPolicy(inner, policies, inside);
  });
}

/** The arguments of an annotation by their names in the table; what has no place there is left out. */
export function givenArguments(annotation: Annotation, spec: AnnotationSpec): Given {
  const given = new Map<string, Expr[]>();
  const positional = spec.args.filter((a) => a.named !== true);
  let next = 0;
  for (const arg of annotation.args ?? []) {
    const last = positional.at(-1);
    const to =
      arg.name === undefined
        ? (positional[next++] ?? (last?.rest === true ? last : undefined))
        : spec.args.find((a) => a.name === arg.name?.text);
    if (to === undefined || arg.value.kind === "Missing") continue;
    const before = given.get(to.name);
    if (before === undefined) given.set(to.name, [arg.value]);
    else if (to.rest === true) before.push(arg.value);
  }
  return given;
}

/** Bundles that hold each other: reported at the annotation that leads back. */
function reportCycles(bundle: readonly Annotation[], policies: ReadonlyMap<string, PolicyDecl>, problems: Problems): void {
  const own = [...policies.values()].find((policy) => policy.bundle === bundle);
  if (own === undefined) return;
  const walk = (policy: PolicyDecl, path: readonly string[]): readonly string[] | undefined => {
    for (const held of policy.bundle) {
      const inner = annotationTable.has(held.name.text) ? undefined : policies.get(held.name.text);
      if (inner === undefined) continue;
      if (inner === own) return [...path, held.name.text];
      if (path.includes(held.name.text)) continue;
      const found = walk(inner, [...path, held.name.text]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const cycle = walk(own, [own.name.text]);
  if (cycle === undefined) return;
  // Every policy of a circle finds it; the first in the file tells.
  const { file, start } = own.name.span;
  const spans = cycle.flatMap((name) => policies.get(name)?.name.span ?? []);
  if (spans.some((span) => span.file === file && span.start < start)) return;
  const first = bundle.find((a) => a.name.text === cycle[1]);
  problems.report(d.policyCycle, first?.span ?? own.name.span, { cycle });
}

// ------------------------------------------------------------------------------------------------- together

type Pair = readonly [string, string, string];

/** Pairs that cannot both be meant, and why. */
const CONTRADICTIONS: readonly Pair[] = [
  ["hedge", "compensate", "A second attempt is only for calls without effects; `@compensate` undoes an effect."],
  ["hedge", "approve", "A second attempt is only for calls without effects; `@approve` guards an effect."],
  ["hedge", "idempotent", "A second attempt is only for calls without effects; `@idempotent` is about an effect."],
  ["cache", "compensate", "A cached call does nothing that could be undone."],
  ["cache", "approve", "A cached result would be used without asking; results with effects are never cached."],
  ["cache", "idempotent", "A result with effects is never cached; `@idempotent` is about an effect."],
  ["cache", "isolate", "A cached call changes no files, so nothing of its worktree would be merged."],
  ["reads", "idempotent", "A tool that only reads has no effect to repeat."],
  ["reads", "compensate", "A tool that only reads has nothing to undo."],
  ["reads", "approve", "A tool that only reads has no effect to approve."],
];

function checkTogether(inForce: ReadonlyMap<string, InForce>, target: AnnotationTarget, context: AnnotationContext): void {
  const { problems } = context;
  // One alone contradicts nothing.
  for (const [first, second, why] of inForce.size < 2 ? [] : CONTRADICTIONS) {
    const a = inForce.get(first);
    const b = inForce.get(second);
    if (a === undefined || b === undefined) continue;
    const [here, there] = placeOf(a).start < placeOf(b).start ? [b, a] : [a, b];
    problems.report(
      d.annotationsContradict,
      placeOf(here),
      { first: `@${first}`, second: `@${second}`, why },
      { related: [{ span: placeOf(there), message: "and this" }] },
    );
  }
  const reads = inForce.get("reads");
  if (reads !== undefined && target.declaredEffect === true) {
    problems.report(d.annotationsContradict, placeOf(reads), {
      first: "@reads",
      second: "effect",
      why: "A tool either changes something outside (`effect tool`) or only looks (`@reads`). An effect sees what is before it anyway: remove `@reads`.",
    });
  }
  const timeout = inForce.get("timeout");
  const timeoutMs = value(timeout, "after");
  const budgetMs = value(inForce.get("budget"), "time");
  if (timeout !== undefined && timeoutMs !== undefined && budgetMs !== undefined && timeoutMs > budgetMs) {
    problems.report(d.annotationIdle, placeOf(timeout), {
      name: "timeout",
      why: "the budget's time is over before",
      mend: "Make the timeout of one attempt shorter than the time of the whole budget.",
    });
  }
  const hedge = inForce.get("hedge");
  const hedgeMs = value(hedge, "after");
  if (hedge !== undefined && hedgeMs !== undefined && timeoutMs !== undefined && hedgeMs >= timeoutMs) {
    problems.report(d.annotationIdle, placeOf(hedge), {
      name: "hedge",
      why: "the first attempt has timed out by then",
      mend: "Start the second attempt well before the timeout of the first.",
    });
  }
}

/** Where a problem with it is shown: at the use of the bundle that holds it. */
const placeOf = (found: InForce) => (found.through ?? found.annotation).span;

/** A constant argument's value. */
function value(found: InForce | undefined, argument: string): number | undefined {
  const expr = found?.given.get(argument)?.[0];
  return expr === undefined ? undefined : constantOf(expr);
}

// ---------------------------------------------------------------------------------------------- one by one

function checkOne(found: InForce, target: AnnotationTarget, context: AnnotationContext): void {
  switch (found.name) {
    case "fallback":
      for (const expr of found.given.get("callable") ?? []) checkFallback(expr, target, context);
      return;
    case "compensate":
      for (const expr of found.given.get("undo") ?? []) checkUndo(expr, target, context);
      return;
    case "isolate":
      for (const expr of found.given.get("resolve") ?? []) checkResolve(expr, context);
      return;
    case "retry": {
      const backoff = value(found, "backoff") ?? 1000;
      const max = value(found, "max");
      const [expr] = found.given.get("max") ?? [];
      if (expr !== undefined && max !== undefined && max < backoff) {
        context.problems.report(d.annotationIdle, expr.span, {
          name: "retry",
          why: "`max` is shorter than the first wait",
          mend: "`backoff` is the first wait and `max` the longest: make `max` longer, or `backoff` shorter.",
        });
      }
      return;
    }
    default:
      if (SELECTION.has(found.name)) checkSelection(found, target, context);
  }
}

function checkFallback(expr: Expr, target: AnnotationTarget, context: AnnotationContext): void {
  const { callee } = target;
  if (callee === undefined) return;
  const fallback = context.callable(expr);
  if (fallback === undefined) return;
  const reason = signatureDifference(fallback.type, callee.type);
  if (reason === undefined) return;
  context.problems.report(
    d.fallbackSignature,
    expr.span,
    { name: callee.name, instead: fallback.name, reason },
    { related: [{ span: fallback.span, message: "declared here" }] },
  );
}

/** Why a callable cannot stand where another is declared; undefined when it can. */
function signatureDifference(own: CallableType, wanted: CallableType): string | undefined {
  for (const [i, param] of wanted.params.entries()) {
    const mine = own.params[i];
    const name = param.name ?? `argument ${i + 1}`;
    if (mine === undefined) return `it has no parameter for \`${name}\``;
    if (mine.name !== undefined && param.name !== undefined && mine.name !== param.name && own.params.some((p) => p.name === param.name)) {
      return `its parameters stand in another order`;
    }
    if (!assignable(param.type, mine.type)) return misfit(mine.name ?? name, mine.type, param.type);
  }
  const extra = own.params.slice(wanted.params.length).find((p) => p.optional !== true);
  if (extra !== undefined) return `it also needs \`${extra.name ?? "another argument"}\``;
  if (assignable(own.result, wanted.result)) return undefined;
  return `it gives \`${typeText(own.result)}\`, but \`${typeText(wanted.result)}\` is expected`;
}

/** Why a value does not fit a parameter; of large types only the difference is shown. */
function misfit(name: string, takes: Type, gets: Type): string {
  const texts = [typeText(takes), typeText(gets)];
  if (texts.every((text) => text.length <= 30)) return `\`${name}\` takes \`${texts[0]}\`, but gets \`${texts[1]}\``;
  return expand(takes).kind === expand(gets).kind ? `\`${name}\`: ${mismatch(gets, takes)}` : `\`${name}\` takes \`${texts[0]}\``;
}

function checkUndo(expr: Expr, target: AnnotationTarget, context: AnnotationContext): void {
  const undo = context.callable(expr);
  const result = target.result ?? target.callee?.type.result;
  if (undo === undefined || result === undefined || isError(result)) return;
  const [first, ...rest] = undo.type.params;
  const more = rest.find((p) => p.optional !== true);
  const reason =
    first === undefined
      ? "it takes no parameter"
      : !assignable(result, first.type)
        ? misfit(first.name ?? "it", first.type, result)
        : more !== undefined
          ? `it also needs \`${more.name ?? "another argument"}\``
          : undefined;
  if (reason === undefined) return;
  context.problems.report(
    d.undoSignature,
    expr.span,
    { undo: undo.name, result: typeText(result), reason },
    { related: [{ span: undo.span, message: "declared here" }] },
  );
}

const CONFLICT: Type = recordOf({ path: STRING, base: STRING, ours: STRING, theirs: STRING });

function checkResolve(expr: Expr, context: AnnotationContext): void {
  const callable = context.callable(expr);
  if (callable === undefined) return;
  const reason = signatureDifference(callable.type, { kind: "callable", params: [{ name: "conflict", type: CONFLICT }], result: STRING });
  if (reason === undefined) return;
  context.problems.report(
    d.resolveSignature,
    expr.span,
    { name: callable.name, reason },
    { related: [{ span: callable.span, message: "declared here" }] },
  );
}

/**
 * A count of `@min_success` that cannot be reached is most often a percentage without its sign. Asked apart from the
 * rest: the annotations around a map are checked before what it runs over is known.
 */
export function checkMinSuccess(annotations: readonly Annotation[], over: Type | undefined, problems: Problems): void {
  const expr = annotations.find((a) => a.name.text === "min_success")?.args?.[0]?.value;
  const items = over === undefined ? undefined : expand(over);
  if (expr?.kind !== "Number" || expr.unit !== "int" || items?.kind !== "list" || expr.value <= items.max) return;
  const percent = expr.value > 1 && expr.value <= 100 ? `${expr.raw}%` : undefined;
  const fixes: readonly Fix[] = writing(expr.span, percent);
  problems.report(d.minSuccessCount, expr.span, { found: expr.value, most: items.max, percent }, { fixes });
}

function checkSelection(found: InForce, target: AnnotationTarget, context: AnnotationContext): void {
  const { callee } = target;
  if (callee === undefined || callee.kind === "CapabilityDecl") return;
  context.problems.report(d.notACapability, placeOf(found), { name: found.name, callee: callee.name, kind: CALLEE[callee.kind] });
}

const CALLEE: Readonly<Record<AnnotationCallable["kind"], string>> = {
  AgentDecl: "an agent",
  ToolDecl: "a tool",
  FlowDecl: "a flow",
  CapabilityDecl: "a capability",
  ComposeDecl: "a compose",
  ChannelDecl: "a channel",
};

// ------------------------------------------------------------------------------------------------- effects

/** What the annotated thing is called in a message. */
function subjectOf(target: AnnotationTarget): string {
  return target.callee === undefined ? "what it annotates" : `\`${target.callee.name}\``;
}

const ABOUT_EFFECTS = ["cache", "hedge", "retry", "fallback", "compensate", "approve", "idempotent"] as const;

function checkEffects(inForce: ReadonlyMap<string, InForce>, target: AnnotationTarget, problems: Problems): void {
  if (target.reach === undefined || target.kind === "bundle" || !ABOUT_EFFECTS.some((name) => inForce.has(name))) return;
  const subject = subjectOf(target);
  const { effect, unsafe } = target.reach();
  if (effect !== "effect") {
    reportNothing(inForce, target, subject, problems);
    return;
  }
  const cache = inForce.get("cache");
  if (cache !== undefined) problems.report(d.cachedEffect, placeOf(cache), { subject });
  const hedge = inForce.get("hedge");
  if (hedge !== undefined) problems.report(d.hedgedEffect, placeOf(hedge), { subject });
  const isolated = inForce.has("isolate") || declares(target, "isolate");
  const idempotent = inForce.has("idempotent") || declares(target, "idempotent");
  if (isolated || idempotent || unsafe.length === 0) return;
  for (const annotation of ["retry", "fallback"]) {
    const found = inForce.get(annotation);
    if (found === undefined || (annotation === "retry" && value(found, "n") === 0)) continue;
    problems.report(d.repeatedEffect, placeOf(found), { annotation, subject, effects: unsafe });
  }
}

const declares = (target: AnnotationTarget, name: string): boolean => target.annotations?.some((a) => a.name.text === name) === true;

/** What only makes sense for an effect. */
function reportNothing(inForce: ReadonlyMap<string, InForce>, target: AnnotationTarget, subject: string, problems: Problems): void {
  if (target.callee === undefined) return;
  const purposes = { compensate: "nothing to undo", approve: "nothing to approve", idempotent: "it may be repeated anyway" };
  for (const [annotation, purpose] of Object.entries(purposes)) {
    const found = inForce.get(annotation);
    if (found !== undefined) problems.report(d.nothingToAct, placeOf(found), { annotation, subject, purpose });
  }
}
