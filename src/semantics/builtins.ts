/**
 * The type signatures of every built-in function, with what they prove about lengths and ranges. A function with
 * several forms is one for several kinds of argument: the first form that fits is meant. Signatures of functions on
 * numbers and text are in `builtins-scalar.ts`, how they are written in `builtin-form.ts`.
 */
import {
  type BuiltinForm,
  type BuiltinParam,
  constant,
  countOf,
  fn,
  K,
  lengthOf,
  listOf,
  maybe,
  number,
  param,
  type Range,
  rangeOf,
  T,
  times,
  trusted,
  variable,
} from "./builtin-form.js";
import { scalarBuiltins, textSlice } from "./builtins-scalar.js";
import { join } from "./relate.js";
import {
  BOOL,
  DURATION,
  ERROR,
  expand,
  type Field,
  FLOAT,
  INT,
  isOptional,
  JSON_TYPE,
  list,
  literal,
  MONEY,
  mapOf,
  members,
  NEVER,
  optional,
  record,
  recordOf,
  STRING,
  type Type,
  union,
} from "./types.js";

export type { BuiltinForm, BuiltinParam } from "./builtin-form.js";

export const FAILURE_KINDS = [
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

const FAILURE_KIND: Type = union(FAILURE_KINDS.map(literal));
const FAILURE: Type = recordOf({
  kind: FAILURE_KIND,
  message: STRING,
  call: STRING,
  attempts: INT,
  committed: union(["no", "yes", "unknown"].map(literal)),
});

const xs = param("xs", list(T));
const test = param("f", fn([T], BOOL));
/** What items can be ordered by. */
const ORDERED: Type = union([STRING, FLOAT, MONEY, DURATION, BOOL]);
const key = param("f", fn([T], ORDERED));
/** Any record: the fields that it has are read off the argument. */
const ANY_RECORD: Type = record([]);

type Args = readonly (Type | undefined)[];
type Vars = ReadonlyMap<string, Type>;

const form = (typeParams: readonly string[], params: readonly BuiltinParam[], result: (args: Args, vars: Vars) => Type): BuiltinForm => ({
  typeParams,
  params,
  result,
});

/** The type of the items: what the variable stands for, or the argument's own where nothing was inferred. */
const itemOf = (args: Args, vars: Vars, name = "T"): Type => vars.get(name) ?? listOf(args[0]).of;

/** An item that is there when the list cannot be empty. */
const some = (args: Args, item: Type): Type => (listOf(args[0]).min > 0 ? item : optional(item));

/** A list of the first argument's items with another length. */
function resized(args: Args, vars: Vars, size: (bound: Range) => Range, of?: Type): Type {
  const { min, max } = size(listOf(args[0]));
  return list(of ?? itemOf(args, vars), Math.max(0, min), Math.max(0, max));
}

/** One item for each group, so at least one when there is any. */
const grouped = ({ min, max }: Range): Range => ({ min: Math.min(1, min), max });

const lengths: readonly BuiltinForm[] = [
  form(["T"], [xs], ([list]) => number("int", listOf(list))),
  form([], [param("s", STRING)], ([s]) => number("int", lengthOf(s))),
  form(["T"], [param("m", mapOf(T))], () => number("int", { min: 0, max: Number.POSITIVE_INFINITY })),
];

const lists: Readonly<Record<string, readonly BuiltinForm[]>> = {
  len: lengths,
  first: [form(["T"], [xs], (args, vars) => some(args, itemOf(args, vars)))],
  last: [form(["T"], [xs], (args, vars) => some(args, itemOf(args, vars)))],
  take: [
    form(["T"], [xs, param("n", INT)], (args, vars) => {
      const n = countOf(args[1]);
      return resized(args, vars, ({ min, max }) => ({ min: Math.min(min, n.min), max: Math.min(max, n.max) }));
    }),
  ],
  drop: [
    form(["T"], [xs, param("n", INT)], (args, vars) => {
      const n = countOf(args[1]);
      return resized(args, vars, ({ min, max }) => ({ min: n.max === Number.POSITIVE_INFINITY ? 0 : min - n.max, max: max - n.min }));
    }),
  ],
  slice: [form(["T"], [xs, param("from", INT), maybe("to", INT)], sliced), textSlice],
  chunk: [
    form(["T"], [xs, param("n", INT)], (args, vars) => {
      const size = rangeOf(args[1]);
      const least = Math.max(1, size.min);
      const most = Math.max(1, size.max);
      const { max } = listOf(args[0]);
      const inner = list(itemOf(args, vars), Math.min(1, max), Math.min(most, max));
      return resized(
        args,
        vars,
        (bound) => ({ min: bound.min === 0 ? 0 : Math.max(1, Math.ceil(bound.min / most)), max: Math.ceil(bound.max / least) }),
        inner,
      );
    }),
  ],
  flatten: [
    form(["T"], [param("xss", list(list(T)))], (args, vars) => {
      const outer = listOf(args[0]);
      const inner = outer.max === 0 ? list(NEVER, 0, 0) : outer.of;
      const { of, min, max } = innerList(inner);
      return list(vars.get("T") ?? of, times(outer.min, min), times(outer.max, max));
    }),
  ],
  reverse: [form(["T"], [xs], (args, vars) => resized(args, vars, (bound) => bound))],
  zip: [
    form(["T", "U"], [xs, param("ys", list(variable("U")))], (args, vars) => {
      const ys = listOf(args[1]);
      const pair = recordOf({ left: itemOf(args, vars), right: vars.get("U") ?? ys.of });
      return resized(args, vars, ({ min, max }) => ({ min: Math.min(min, ys.min), max: Math.min(max, ys.max) }), pair);
    }),
  ],
  range: [
    form([], [param("n", INT)], ([n]) => numbered({ min: 0, max: 0 }, rangeOf(n))),
    form([], [param("from", INT), param("to", INT)], ([from, to]) => numbered(rangeOf(from), rangeOf(to))),
  ],
};

/** The list type of items that may themselves be one of several list types. */
function innerList(type: Type): { of: Type; min: number; max: number } {
  const all = members(type).map(listOf);
  const [first, ...rest] = all;
  if (first === undefined) return listOf(undefined);
  return rest.reduce<{ of: Type; min: number; max: number }>(
    (a, b) => ({ of: join(a.of, b.of), min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }),
    first,
  );
}

/** The whole numbers from `from` up to but not including `to`. */
function numbered(from: Range, to: Range): Type {
  const item = number("int", { min: from.min, max: to.max - 1 });
  const most = to.max - from.min;
  const least = to.min - from.max;
  const empty = most <= 0;
  return list(
    empty ? INT : item,
    Number.isFinite(least) ? Math.max(0, least) : 0,
    Number.isNaN(most) ? Number.POSITIVE_INFINITY : Math.max(0, most),
  );
}

/** Negative positions count from the end: then only the upper end of the whole is known. */
function sliced(args: Args, vars: Vars): Type {
  const from = rangeOf(args[1]);
  const to = args[2] === undefined || expand(args[2]).kind === "null" ? undefined : rangeOf(args[2]);
  return resized(args, vars, ({ min, max }) => {
    if (from.min < 0 || (to !== undefined && to.min < 0)) return { min: 0, max };
    const least = Math.min(min, to?.min ?? min) - from.max;
    return { min: Number.isNaN(least) ? 0 : least, max: Math.min(max, to?.max ?? max) - from.min };
  });
}

/** The items that passed a test: narrowed by it, at most as many. */
const kept = (args: Args, vars: Vars): Type => resized(args, vars, ({ max }) => ({ min: 0, max }), vars.get("N") ?? itemOf(args, vars));

const functional: Readonly<Record<string, readonly BuiltinForm[]>> = {
  filter: [{ ...form(["T"], [xs, test], kept), narrows: true }],
  find: [{ ...form(["T"], [xs, test], (args, vars) => optional(vars.get("N") ?? itemOf(args, vars))), narrows: true }],
  any: [constant([xs, test], BOOL, ["T"])],
  all: [constant([xs, test], BOOL, ["T"])],
  count: [form(["T"], [xs, test], ([list]) => number("int", { min: 0, max: listOf(list).max }))],
  sort_by: [form(["T"], [xs, key, maybe("descending", BOOL)], (args, vars) => resized(args, vars, (bound) => bound))],
  max_by: [form(["T"], [xs, key], (args, vars) => some(args, itemOf(args, vars)))],
  min_by: [form(["T"], [xs, key], (args, vars) => some(args, itemOf(args, vars)))],
  group_by: [
    form(["T", "K"], [xs, param("f", fn([T], K))], (args, vars) => {
      const { max } = listOf(args[0]);
      const group = recordOf({ key: vars.get("K") ?? ERROR, items: list(itemOf(args, vars), Math.min(1, max), max) });
      return resized(args, vars, grouped, group);
    }),
  ],
  unique: [form(["T", "K"], [xs, maybe("by", fn([T], K))], (args, vars) => resized(args, vars, grouped))],
  index_by: [form(["T"], [xs, param("f", fn([T], STRING))], (args, vars) => mapOf(itemOf(args, vars)))],
  fold: [
    form(
      ["T", "A"],
      [xs, { name: "start", type: variable("A"), widens: true }, param("f", fn([variable("A"), T], variable("A")))],
      (args, vars) => vars.get("A") ?? args[1] ?? ERROR,
    ),
  ],
};

/** The fields of a record, or of every record of a union; those that may be absent are optional. */
function fieldsOf(type: Type | undefined): readonly Field[] {
  if (type === undefined) return [];
  const t = expand(type);
  if (t.kind === "record") return t.fields;
  if (t.kind !== "union") return [];
  const all = members(t).map(fieldsOf);
  const names = [...new Set(all.flatMap((fields) => fields.map((f) => f.name)))];
  return names.map((name) => {
    const own = all.map((fields) => fields.find((f) => f.name === name)?.type);
    const known = own.filter((type) => type !== undefined).reduce(join, NEVER);
    return { name, type: own.includes(undefined) ? optional(known) : known };
  });
}

/** One item for each field that is there: an optional one may be absent. */
function perField(type: Type | undefined, item: (fields: readonly Field[]) => Type): Type {
  const fields = fieldsOf(type);
  return list(fields.length === 0 ? NEVER : item(fields), fields.filter((f) => !isOptional(f.type)).length, fields.length);
}

const fieldName = (fields: readonly Field[]): Type => union(fields.map((f) => literal(f.name)));
const fieldValue = (fields: readonly Field[]): Type => fields.map((f) => f.type).reduce(join, NEVER);

/** `{ ...a, ...b }`: a field that may be absent in `b` leaves that of `a`. */
function merged(a: Type | undefined, b: Type | undefined): Type {
  const fields = new Map(fieldsOf(a).map((f) => [f.name, f]));
  for (const field of fieldsOf(b)) {
    const before = fields.get(field.name);
    fields.set(field.name, before !== undefined && isOptional(field.type) ? { ...field, type: join(before.type, field.type) } : field);
  }
  return record([...fields.values()]);
}

const map = param("m", mapOf(T));
const anyRecord = param("r", ANY_RECORD);

const records: Readonly<Record<string, readonly BuiltinForm[]>> = {
  keys: [constant([map], list(STRING), ["T"]), form([], [anyRecord], ([r]) => perField(r, fieldName))],
  values: [form(["T"], [map], (_args, vars) => list(vars.get("T") ?? ERROR)), form([], [anyRecord], ([r]) => perField(r, fieldValue))],
  entries: [
    form(["T"], [map], (_args, vars) => list(recordOf({ key: STRING, value: vars.get("T") ?? ERROR }))),
    form([], [anyRecord], ([r]) => perField(r, (fields) => recordOf({ key: fieldName(fields), value: fieldValue(fields) }))),
  ],
  has: [constant([map, param("key", STRING)], BOOL, ["T"])],
  merge: [
    form(["T"], [param("a", mapOf(T)), param("b", mapOf(T))], (_args, vars) => mapOf(vars.get("T") ?? ERROR)),
    form([], [param("a", ANY_RECORD), param("b", ANY_RECORD)], ([a, b]) => merged(a, b)),
  ],
  json: [constant([param("x", T)], STRING, ["T"])],
  parse_json: [constant([param("s", STRING)], JSON_TYPE)],
};

const others: Readonly<Record<string, readonly BuiltinForm[]>> = {
  fail: [
    constant([param("error", FAILURE)], NEVER),
    constant([param("message", STRING)], NEVER),
    constant([param("kind", FAILURE_KIND), param("message", STRING)], NEVER),
  ],
  trust: [form(["T"], [param("x", T), param("why", STRING)], (args, vars) => trusted(vars.get("T") ?? args[0] ?? ERROR))],
};

/** Every function of the language by its name; `env` and `secret` are forms of the checker. */
export const builtins: ReadonlyMap<string, readonly BuiltinForm[]> = new Map(
  Object.entries({ ...lists, ...functional, ...records, ...others, ...scalarBuiltins }),
);

/** What some functions are called elsewhere. */
export const OTHER_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    length: "len",
    size: "len",
    uppercase: "upper",
    to_upper: "upper",
    lowercase: "lower",
    to_lower: "lower",
    strip: "trim",
    concat: "flatten",
    sort: "sort_by",
    sorted: "sort_by",
    total: "sum",
    average: "mean",
    avg: "mean",
    some: "any",
    every: "all",
    includes: "contains",
    str: "to_string",
    stringify: "json",
    error: "fail",
    raise: "fail",
    toUpperCase: "upper",
    toLowerCase: "lower",
    startsWith: "starts_with",
    endsWith: "ends_with",
    replaceAll: "replace",
    substring: "slice",
    reduce: "fold",
    toString: "to_string",
  }),
);
