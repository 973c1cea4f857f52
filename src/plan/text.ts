/** Types and expressions of a graph as short text, as they would be written, for drawings and messages. */
import type { ExprIR, Json, TypeIR } from "./ir.js";

/** A type as it would be written; long records and unions are shortened. */
export function typeText(type: TypeIR, room = 60): string {
  const text = write(type, 0);
  return text.length <= room ? text : write(type, 1).length <= room ? write(type, 1) : write(type, 2);
}

/** `brief`: 0 everything, 1 names of fields only, 2 nothing of what is inside. */
function write(type: TypeIR, brief: number): string {
  switch (type.kind) {
    case "string": {
      if (type.pattern !== undefined) return brief > 0 ? "string" : `string(/${type.pattern}/)`;
      return `string${bounds(type.min, type.max)}`;
    }
    case "int":
    case "float":
      return `${type.kind}${bounds(type.min, type.max)}`;
    case "literal":
      return JSON.stringify(type.value);
    case "list": {
      const of = write(type.of, brief);
      const range = bounds(type.min, type.max).slice(1, -1);
      return `${type.of.kind === "union" && !/[?}]$/.test(of) ? `(${of})` : of}[${range}]`;
    }
    case "map":
      return `map<${write(type.of, brief)}>`;
    case "record":
      if (brief > 1) return "{ … }";
      return type.fields.length === 0
        ? "{}"
        : `{ ${type.fields.map((field) => (brief > 0 ? field.name : `${field.name}: ${write(field.type, brief)}`)).join(", ")} }`;
    case "union": {
      const rest = type.of.filter((member) => member.kind !== "null");
      const [only] = rest;
      if (rest.length === 1 && only !== undefined && type.of.length > 1) return `${write(only, brief)}?`;
      return brief > 1 && type.of.length > 3
        ? `${write(type.of[0] ?? type, brief)} | …`
        : type.of.map((member) => write(member, brief)).join(" | ");
    }
    case "ref":
      return type.name;
    case "secret":
      return `secret ${write(type.of, brief)}`;
    default:
      return type.kind;
  }
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (min === undefined && max === undefined) return "";
  if (min !== undefined && min === max) return `(${min})`;
  return `(${min ?? ""}..${max ?? ""})`;
}

/** An expression as short text; what takes too much room becomes `…`. */
export function expressionText(expr: ExprIR, names: ReadonlyMap<string, string>, room = 36): string {
  const text = say(expr, names);
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

function say(expr: ExprIR, names: ReadonlyMap<string, string>): string {
  const inner = (each: ExprIR): string => say(each, names);
  switch (expr.kind) {
    case "const":
      return constant(expr.value);
    case "ref":
      return names.get(expr.id) ?? expr.id.replace(/#\d+$/, "");
    case "field":
      return `${inner(expr.of)}${expr.optional ? "?." : "."}${expr.name}`;
    case "index":
      return `${inner(expr.of)}[${inner(expr.at)}]`;
    case "not":
      return `!${inner(expr.of)}`;
    case "negate":
      return `-${inner(expr.of)}`;
    case "binary":
      return `${inner(expr.left)} ${expr.op} ${inner(expr.right)}`;
    case "and":
      return `${inner(expr.left)} && ${inner(expr.right)}`;
    case "or":
      return `${inner(expr.left)} || ${inner(expr.right)}`;
    case "default":
      return `${inner(expr.left)} ?? ${inner(expr.right)}`;
    case "builtin":
      return `${expr.name}(${expr.args.map(inner).join(", ")})`;
    case "lambda":
      return "…";
    case "cut":
    case "cast":
      return inner(expr.of);
    case "let":
      return inner(expr.body);
    case "record":
      return `{ ${expr.entries.map((entry) => ("spread" in entry ? "…" : entry.name)).join(", ")} }`;
    case "list":
      return `[${expr.elements.map((element) => (element.spread ? "…" : inner(element.value))).join(", ")}]`;
    case "template":
      return `"${expr.parts.map((part) => (part.kind === "text" ? part.text : part.kind === "value" ? `{{${inner(part.value)}}}` : "…")).join("")}"`;
    case "cond":
    case "switch":
      return "…";
  }
}

const constant = (value: Json): string => (typeof value === "object" && value !== null ? "…" : JSON.stringify(value));
