/** Types in messages, as a user would write them. */
import type { TypeIR } from "../plan/ir.js";
import { assertNever } from "./values.js";

export function typeProse(type: TypeIR): string {
  switch (type.kind) {
    case "string":
      return refined("string", type.min, type.max, type.pattern, "characters");
    case "int":
    case "float":
      return refined(type.kind, type.min, type.max, undefined, undefined);
    case "bool":
    case "null":
    case "json":
    case "duration":
    case "money":
    case "image":
    case "audio":
    case "document":
    case "never":
      return type.kind;
    case "literal":
      return JSON.stringify(type.value);
    case "list": {
      const bounds = between(type.min, type.max);
      return `a list of ${typeProse(type.of)}${bounds === "" ? "" : ` with ${bounds} elements`}`;
    }
    case "map":
      return `map<${typeProse(type.of)}>`;
    case "record": {
      const names = type.fields.map((field) => field.name);
      return names.length > 6
        ? `a record with ${names.slice(0, 5).join(", ")} …`
        : `{ ${type.fields.map((field) => `${field.name}: ${short(field.type)}`).join(", ")} }`;
    }
    case "union":
      return type.of.map(typeProse).join(" | ");
    case "ref":
      return type.name;
    case "secret":
      return `secret ${typeProse(type.of)}`;
    default:
      return assertNever(type);
  }
}

function short(type: TypeIR): string {
  return type.kind === "record" ? "{ … }" : type.kind === "list" && type.of.kind === "record" ? "a list" : typeProse(type);
}

function between(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return min === max ? `exactly ${min}` : `${min} to ${max}`;
  if (min !== undefined && min > 0) return `at least ${min}`;
  return max === undefined ? "" : `at most ${max}`;
}

function refined(
  name: string,
  min: number | undefined,
  max: number | undefined,
  pattern: string | undefined,
  unit: string | undefined,
): string {
  if (pattern !== undefined) return `a ${name} that matches /${pattern}/`;
  if (min === undefined && max === undefined) return name;
  if (unit !== undefined) return `a ${name} of ${between(min, max)} ${unit}`;
  if (min !== undefined && max !== undefined) return `${name} from ${min} to ${max}`;
  return min !== undefined ? `${name} of at least ${min}` : `${name} of at most ${max}`;
}
