/**
 * Renders templates. They are data in the graph (the compiler has parsed and typed them), so nothing here parses text.
 * A block is left out for `null`, `false`, an empty text or list; nothing is escaped.
 */
import type { ExprIR, TemplatePartIR, TextForm } from "../plan/ir.js";
import { type Eval, type Frame, type Layout, slotFor } from "./frame.js";
import { assertNever, durationText, isFields, moneyText, plainText } from "./values.js";

type Render = (frame: Frame) => string;
type Compile = (expr: ExprIR) => Eval;

export function compileTemplate(parts: readonly TemplatePartIR[], scope: Layout, compile: Compile): Render {
  const rendered = parts.map((part) => compilePart(part, scope, compile));
  const [only] = rendered;
  if (only !== undefined && rendered.length === 1) return only;
  return (frame) => {
    let out = "";
    for (const render of rendered) out += render(frame);
    return out;
  };
}

/** A template for an address: every value is percent-encoded, but for a base that stands at its beginning. */
export function compileAddress(parts: readonly TemplatePartIR[], scope: Layout, compile: Compile): Render {
  const rendered = parts.map((part, i): Render => {
    const render = compilePart(part, scope, compile);
    return part.kind === "text" || i === 0 ? render : (frame) => encodeURIComponent(render(frame));
  });
  return (frame) => rendered.map((render) => render(frame)).join("");
}

export function textOf(value: unknown, as: TextForm): string {
  if (value === null || value === undefined) return "";
  switch (as) {
    case "plain":
      return plainText(value);
    case "duration":
      return durationText(value as number);
    case "money":
      return moneyText(value as number);
    default:
      return assertNever(as);
  }
}

/** What `{{#if}}` and its kin take for true. */
function holds(value: unknown): boolean {
  return !(value === null || value === undefined || value === false || value === "" || (Array.isArray(value) && value.length === 0));
}

function compilePart(part: TemplatePartIR, scope: Layout, compile: Compile): Render {
  switch (part.kind) {
    case "text": {
      const text = part.text;
      return () => text;
    }
    case "value": {
      const value = compile(part.value);
      const as = part.as;
      return (frame) => textOf(value(frame), as);
    }
    case "if": {
      const test = compile(part.test);
      const then = compileTemplate(part.then, scope, compile);
      const otherwise = compileTemplate(part.else, scope, compile);
      return (frame) => (holds(test(frame)) ? then(frame) : otherwise(frame));
    }
    case "with": {
      const value = compile(part.value);
      const slot = slotFor(scope, part.id);
      const body = compileTemplate(part.body, scope, compile);
      const otherwise = compileTemplate(part.else, scope, compile);
      return (frame) => {
        const found = value(frame);
        if (!holds(found)) return otherwise(frame);
        frame.slots[slot] = found;
        return body(frame);
      };
    }
    case "each":
      return compileEach(part, scope, compile);
    default:
      return assertNever(part);
  }
}

function compileEach(part: Extract<TemplatePartIR, { kind: "each" }>, scope: Layout, compile: Compile): Render {
  const over = compile(part.over);
  const item = slotFor(scope, part.item);
  const index = slotFor(scope, part.index);
  const key = slotFor(scope, part.key);
  const first = slotFor(scope, part.first);
  const last = slotFor(scope, part.last);
  const body = compileTemplate(part.body, scope, compile);
  const otherwise = compileTemplate(part.else, scope, compile);
  return (frame) => {
    const found = over(frame);
    const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(found)
      ? found.map((x: unknown, i) => [i, x] as const)
      : isFields(found)
        ? Object.entries(found)
        : [];
    if (entries.length === 0) return otherwise(frame);
    let out = "";
    for (const [i, [name, value]] of entries.entries()) {
      frame.slots[item] = value;
      frame.slots[index] = i;
      frame.slots[key] = name;
      frame.slots[first] = i === 0;
      frame.slots[last] = i === entries.length - 1;
      out += body(frame);
    }
    return out;
  };
}
