/**
 * `match`: what each pattern takes of the value's type, what it binds, and whether the arms together leave anything
 * out. A type is seen as its list of cases (members of the union, `true` and `false` of a bool); a pattern removes the
 * cases it covers whole, and whole numbers are covered by intervals.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { MatchExpr, Pattern } from "../syntax/ast.js";
import type { Checker, Context } from "./checker.js";
import { joinBranches } from "./mismatch.js";
import { dropValue, keepValue, pathOf, restrict } from "./narrow.js";
import { assignable, textFits } from "./relate.js";
import { childEnv, type Env } from "./symbols.js";
import { expand, fieldNames, fieldOf, isError, members, NEVER, type RecordType, type Type, typeText, union } from "./types.js";

export function inferMatch(c: Checker, expr: MatchExpr, env: Env, context: Context, expected?: Type): Type {
  const type = c.infer(expr.value, env, context);
  const path = pathOf(expr.value, env);
  let rest = casesOf(type);
  const intervals: Interval[] = [];
  const branches = expr.arms.map((arm) => {
    const inner = childEnv(env);
    const taken: Type[] = [];
    for (const pattern of arm.patterns) {
      checkPattern(c, pattern, type, inner, context, arm.patterns.length > 1);
      if (isError(type)) continue;
      const matches = rest.flatMap((m) => taken1(pattern, m));
      if (matches.length === 0 && pattern.kind !== "MissingPattern" && (possible(pattern, type) || pattern.kind === "WildcardPattern")) {
        c.problems.report(d.unreachableArm, pattern.span, {});
      } else if (
        pattern.kind === "RangePattern" &&
        intervals.some((i) => i.low <= (pattern.low ?? Number.NEGATIVE_INFINITY) && i.high >= (pattern.high ?? Number.POSITIVE_INFINITY))
      ) {
        c.problems.report(d.unreachableArm, pattern.span, {});
      }
      if (pattern.kind === "WildcardPattern") {
        const hidden = rest.filter((m) => isClosed(expand(m)));
        if (hidden.length > 1 && hidden.length === rest.length && members(type).length > 1)
          c.problems.report(d.wildcardHides, pattern.span, { names: hidden.map((m) => typeText(m)) });
      }
      taken.push(...matches);
      rest = rest.flatMap((m) => remaining(pattern, m, intervals));
    }
    if (path !== undefined && !isError(type)) {
      const kept = union(taken);
      restrict(path, inner, (t) =>
        union(
          members(kept)
            .filter((m) => assignable(m, t) || assignable(t, m))
            .map((m) => (assignable(m, t) ? m : t)),
        ),
      );
    }
    return { type: c.infer(arm.body, inner, context, expected), expr: arm.body };
  });
  const misspelt = new Set(expr.arms.flatMap((arm) => arm.patterns.flatMap((p) => meant(p, type) ?? [])));
  rest = rest.filter((m) => {
    const t = expand(m);
    return !(t.kind === "literal" && misspelt.has(String(t.value)));
  });
  if (!isError(type) && rest.length > 0) {
    const names = rest.map((m) => caseText(m, intervals));
    const last = expr.arms[expr.arms.length - 1];
    const at = { ...expr.span, start: expr.span.end - 1 };
    const closed = rest.every((m) => expand(m).kind === "literal" || expand(m).kind === "null");
    const fix =
      closed && last !== undefined
        ? [
            {
              title: "add the missing arms",
              edits: [{ span: { ...at, end: at.start }, text: `\n${names.map((n) => `    ${n} => fail("not handled")`).join("\n")}\n` }],
            },
          ]
        : [];
    c.problems.report(d.notExhaustive, { ...expr.span, end: expr.value.span.end }, { names, type: typeText(type) }, { fixes: fix });
  }
  return joinBranches(c, branches, expected, "arms");
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

function casesOf(type: Type): readonly Type[] {
  return members(type).flatMap((m): readonly Type[] => {
    const t = expand(m);
    if (t.kind === "bool")
      return [
        { kind: "literal", value: true },
        { kind: "literal", value: false },
      ];
    return [m];
  });
}

function isClosed(t: Type): boolean {
  return t.kind === "literal" || t.kind === "record";
}

/** What of a case a pattern takes. */
function taken1(pattern: Pattern, type: Type): readonly Type[] {
  const t = expand(type);
  switch (pattern.kind) {
    case "WildcardPattern":
    case "MissingPattern":
      return [type];
    case "LiteralPattern": {
      const kept =
        t.kind === "string" && typeof pattern.value === "string" && !textFits(pattern.value, t) ? NEVER : keepValue(t, pattern.value);
      return kept.kind === "never" ? [] : [kept];
    }
    case "RangePattern":
      if (t.kind === "literal") return typeof t.value === "number" && inRange(pattern, t.value) ? [type] : [];
      return t.kind === "int" || t.kind === "float" || t.kind === "json" ? [type] : [];
    case "RecordPattern": {
      if (t.kind === "json") return [type];
      if (t.kind !== "record") return [];
      const ok = pattern.fields.every((f) => {
        const own = fieldOf(t, f.name.text);
        return (
          own !== undefined &&
          (f.pattern === undefined || casesOf(own).some((m) => f.pattern !== undefined && taken1(f.pattern, m).length > 0))
        );
      });
      return ok ? [type] : [];
    }
  }
}

/** What of a case is left after a pattern; numbers are remembered as intervals. */
function remaining(pattern: Pattern, type: Type, intervals: Interval[]): readonly Type[] {
  const t = expand(type);
  switch (pattern.kind) {
    case "WildcardPattern":
    case "MissingPattern":
      return [];
    case "LiteralPattern": {
      if (t.kind === "int" && typeof pattern.value === "number") return cover(type, { low: pattern.value, high: pattern.value }, intervals);
      const left = dropValue(t, pattern.value);
      return left.kind === "never" ? [] : [left === t ? type : left];
    }
    case "RangePattern":
      if (t.kind === "literal") return typeof t.value === "number" && inRange(pattern, t.value) ? [] : [type];
      if (t.kind !== "int" && t.kind !== "float") return [type];
      return cover(type, { low: pattern.low ?? Number.NEGATIVE_INFINITY, high: pattern.high ?? Number.POSITIVE_INFINITY }, intervals);
    case "RecordPattern": {
      if (t.kind !== "record" || taken1(pattern, type).length === 0) return [type];
      // Field by field: what this one leaves, where those before it match.
      const left: Type[] = [];
      let matched = t;
      for (const { name, pattern: inner } of pattern.fields) {
        const own = fieldOf(matched, name.text);
        if (inner === undefined || own === undefined) continue;
        const open = casesOf(own).flatMap((m) => remaining(inner, m, []));
        const same = open.length === casesOf(own).length && open.every((m, i) => m === casesOf(own)[i]);
        if (open.length > 0) left.push(same ? matched : withField(matched, name.text, union(open)));
        matched = withField(matched, name.text, union(casesOf(own).flatMap((m) => taken1(inner, m))));
      }
      return left.map((m) => (m === t ? type : m));
    }
  }
}

function withField(type: RecordType, name: string, of: Type): RecordType {
  return { ...type, fields: type.fields.map((f) => (f.name === name ? { ...f, type: of } : f)) };
}

function inRange(range: { readonly low: number | undefined; readonly high: number | undefined }, value: number): boolean {
  return (range.low === undefined || value >= range.low) && (range.high === undefined || value <= range.high);
}

function cover(type: Type, interval: Interval, intervals: Interval[]): readonly Type[] {
  intervals.push(interval);
  return gaps(type, intervals).length === 0 ? [] : [type];
}

/** The numbers of a numeric type that no interval covers. */
function gaps(type: Type, intervals: readonly Interval[]): readonly Interval[] {
  const t = expand(type);
  if (t.kind !== "int" && t.kind !== "float") return [];
  const step = t.kind === "int" ? 1 : 0;
  const max = t.max ?? Number.POSITIVE_INFINITY;
  const found: Interval[] = [];
  let at = t.min ?? Number.NEGATIVE_INFINITY;
  for (const { low, high } of [...intervals].sort((a, b) => a.low - b.low)) {
    if (low > at) found.push({ low: at, high: Math.min(max, low - step) });
    if (high >= at) at = high + step;
    if (at > max || (step === 0 && high >= max) || high === Number.POSITIVE_INFINITY) return found;
  }
  return at > max ? found : [...found, { low: at, high: max }];
}

function caseText(type: Type, intervals: readonly Interval[]): string {
  const t = expand(type);
  if ((t.kind !== "int" && t.kind !== "float") || intervals.length === 0) return typeText(type);
  const whole = t.kind === "int";
  const text = ({ low, high }: Interval): string => {
    if (low === Number.NEGATIVE_INFINITY)
      return high === Number.POSITIVE_INFINITY ? typeText(type) : `numbers ${whole ? "up to" : "below"} ${high}`;
    if (high === Number.POSITIVE_INFINITY) return `${low}..`;
    return low === high ? String(low) : `${low}..${high}`;
  };
  const all = gaps(type, intervals).map(text);
  return all.length <= 3 ? all.join(", ") : `${all.slice(0, 3).join(", ")} and more`;
}

/** Whether a pattern could ever match the type at all, whatever came before. */
function possible(pattern: Pattern, type: Type): boolean {
  return casesOf(type).some((m) => taken1(pattern, m).length > 0);
}

/** The case that a misspelt text must have meant: it is told there, and not as missing as well. */
function meant(pattern: Pattern, type: Type): string | undefined {
  if (pattern.kind !== "LiteralPattern" || typeof pattern.value !== "string" || possible(pattern, type)) return undefined;
  const options = members(type).flatMap((m) => {
    const t = expand(m);
    return t.kind === "literal" ? [String(t.value)] : [];
  });
  return nearest(pattern.value, options);
}

/** Reports patterns that can never match, and binds the names of record patterns. */
function checkPattern(c: Checker, pattern: Pattern, type: Type, env: Env, context: Context, alternative: boolean): void {
  if (isError(type)) {
    if (pattern.kind === "RecordPattern") {
      for (const f of pattern.fields) if (f.pattern === undefined) c.bind(f.name, { kind: "pattern", type }, env, context);
    }
    return;
  }
  if (pattern.kind === "LiteralPattern" || pattern.kind === "RangePattern") {
    if (possible(pattern, type)) return;
    const near = meant(pattern, type);
    const fixes = near === undefined ? [] : [{ title: `write "${near}"`, edits: [{ span: pattern.span, text: JSON.stringify(near) }] }];
    c.problems.report(d.patternNeverMatches, pattern.span, { type: typeText(type), near }, { fixes });
    return;
  }
  if (pattern.kind !== "RecordPattern") return;
  const fitting = casesOf(type).filter((m) => taken1(pattern, m).length > 0);
  const records = members(type).filter((m) => expand(m).kind === "record");
  for (const field of pattern.fields) {
    const name = field.name.text;
    const known = records.some((m) => fieldOf(m, name) !== undefined);
    if (!known && expand(type).kind !== "json") {
      const fields = records.flatMap((m) => fieldNames(m));
      c.problems.report(d.unknownField, field.name.span, {
        name,
        near: nearest(name, fields),
        type: typeText(type),
        subject: undefined,
        fields: [...new Set(fields)],
      });
      if (field.pattern === undefined) c.bind(field.name, { kind: "pattern", type: { kind: "error" } }, env, context);
      continue;
    }
    const own = union(fitting.flatMap((m) => fieldOf(m, name) ?? []));
    if (field.pattern !== undefined) {
      const all = union(records.flatMap((m) => fieldOf(m, name) ?? []));
      checkPattern(c, field.pattern, expand(type).kind === "json" ? { kind: "json" } : all, env, context, alternative);
    } else if (alternative) {
      if (env.locals.has(name)) continue;
      c.problems.report(d.bindInAlternative, field.name.span, { name });
      c.bind(field.name, { kind: "pattern", type: { kind: "error" } }, env, context);
    } else c.bind(field.name, { kind: "pattern", type: expand(type).kind === "json" ? { kind: "json" } : own }, env, context);
  }
}
