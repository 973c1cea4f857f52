/**
 * Renders templates. They are data in the graph (the compiler has parsed and typed them), so nothing here parses text.
 * A block is left out for `null`, `false`, an empty text or list; nothing is escaped.
 */
import type { ExprIR, MediaKind, TemplatePartIR, TextForm } from "../plan/ir.js";
import { failure } from "./failure.js";
import { type Eval, type Frame, type Layout, slotFor } from "./frame.js";
import type { UserPart } from "./provider.js";
import { assertNever, durationText, isFields, moneyText, plainText, shortened } from "./values.js";

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
  return (frame) => {
    const address = rendered.map((render) => render(frame)).join("");
    // Dots are not changed by encoding, and whoever reads the address goes up at them.
    const [path = ""] = address.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/\\?#]*/, "").split(/[?#]/);
    const up = path.split(/[/\\]/).find((part) => /^(?:\.|%2e){1,2}$/i.test(part));
    if (up !== undefined) throw failure("tool_error", `a value may not lead to another path: ${JSON.stringify(up)} in an address`);
    return address;
  };
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
    case "image":
    case "audio":
    case "document":
      return media(as, value);
    default:
      return assertNever(as);
  }
}

/** What a prompt holds beside texts, while it is rendered. */
let collecting: { mark: string | undefined; readonly found: Extract<UserPart, { kind: "media" }>[] } | undefined;

/**
 * Renders a prompt into texts and media, in order. Where a medium stands is marked in the text by something that nobody
 * could have known before, so no value can pretend to be one.
 */
export function renderParts(render: () => string): readonly UserPart[] {
  const outer = collecting;
  const own: NonNullable<typeof collecting> = { mark: undefined, found: [] };
  collecting = own;
  let text: string;
  try {
    text = render();
  } finally {
    collecting = outer;
  }
  if (own.mark === undefined) return [{ kind: "text", text }];
  const [before = "", ...rest] = text.split(own.mark);
  const parts: UserPart[] = [{ kind: "text", text: before }];
  for (const each of rest) {
    const index = /^(\d+)\u0000/.exec(each);
    const medium = index === null ? undefined : own.found[Number(index[1])];
    if (index === null || medium === undefined) throw failure("assertion", "a function of the prompt has cut a medium that stands in it");
    parts.push(medium, { kind: "text", text: each.slice(index[0].length) });
  }
  return parts.filter((part) => part.kind === "media" || part.text !== "");
}

/** A medium as it stands in a text that is only shown. */
export function mediaText(of: MediaKind, value: unknown): string {
  if (typeof value === "string") return `[${of}: ${value.startsWith("data:") ? value.slice(0, 40) : shortened(value, 200)}]`;
  return `[${of}: ${isFields(value) ? String(value["media_type"]) : "unknown"}]`;
}

function media(of: MediaKind, value: unknown): string {
  if (collecting === undefined) return mediaText(of, value);
  const index = collecting.found.push({ kind: "media", of, value }) - 1;
  collecting.mark ??= `\u0000${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}:`;
  return `${collecting.mark}${index}\u0000`;
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
