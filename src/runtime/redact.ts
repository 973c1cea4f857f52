/** Takes what is secret or marked `@redact` out of what is told about a call. */
import type { ParamIR, TypeIR } from "../plan/ir.js";
import { type Fields, isPlain, setField } from "./values.js";

const hidden = "[redacted]";
type Types = Readonly<Record<string, TypeIR>>;
type Redact = (value: unknown) => unknown;

/** Redactions of a callable's arguments and result; undefined where nothing is to be hidden. */
export function redactor(
  params: readonly ParamIR[],
  result: TypeIR,
  types: Types,
): { args: ((args: Fields) => unknown) | undefined; result: Redact | undefined } {
  const byParam = new Map<string, Redact>();
  for (const param of params) {
    const redact = param.redact === true ? () => hidden : redaction(param.type, types, new Set());
    if (redact !== undefined) byParam.set(param.name, redact);
  }
  return {
    args:
      byParam.size === 0
        ? undefined
        : (args) => {
            const out: Record<string, unknown> = {};
            for (const name of Object.keys(args)) setField(out, name, byParam.get(name)?.(args[name]) ?? args[name]);
            return out;
          },
    result: redaction(result, types, new Set()),
  };
}

function redaction(type: TypeIR, types: Types, seen: ReadonlySet<string>): Redact | undefined {
  switch (type.kind) {
    case "secret":
      return () => hidden;
    case "list": {
      const of = redaction(type.of, types, seen);
      return of && ((value) => (Array.isArray(value) ? value.map(of) : value));
    }
    case "map": {
      const of = redaction(type.of, types, seen);
      return of && ((value) => (isPlain(value) ? eachField(value, () => of) : value));
    }
    case "record": {
      const fields = new Map<string, Redact>();
      for (const field of type.fields) {
        const redact = field.redact === true ? () => hidden : redaction(field.type, types, seen);
        if (redact !== undefined) fields.set(field.name, redact);
      }
      return fields.size === 0 ? undefined : (value) => (isPlain(value) ? eachField(value, (name) => fields.get(name)) : value);
    }
    case "union": {
      const members = type.of.map((member) => redaction(member, types, seen)).filter((redact) => redact !== undefined);
      return members.length === 0 ? undefined : (value) => members.reduce((left, redact) => (left === null ? null : redact(left)), value);
    }
    case "ref": {
      const target = types[type.name];
      if (seen.has(type.name) || target === undefined) return undefined;
      return redaction(target, types, new Set([...seen, type.name]));
    }
    default:
      return undefined;
  }
}

function eachField(value: Fields, of: (name: string) => Redact | undefined): Fields {
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const redact = of(name);
    setField(out, name, redact === undefined ? value[name] : redact(value[name]));
  }
  return out;
}
