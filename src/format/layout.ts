/**
 * A small layout algebra in the manner of Wadler: a document says where lines may break, and `print` breaks the groups
 * that do not fit. Hard lines break every group around them. Indentation is written only before text, so no line ends in
 * white space that was not in the text itself. Printing keeps its own stack: documents may be deep.
 */

export type Layout =
  | string
  | { readonly kind: "concat"; readonly parts: readonly Layout[]; readonly breaks: boolean }
  | { readonly kind: "indent"; readonly body: Layout; readonly breaks: boolean }
  | { readonly kind: "group"; readonly body: Layout; readonly breaks: boolean }
  | { readonly kind: "line"; readonly flat: string; readonly hard: boolean; readonly fresh: boolean; readonly breaks: boolean }
  /** Text for a group that is broken, and for one that is not. */
  | { readonly kind: "either"; readonly broken: Layout; readonly flat: Layout; readonly breaks: boolean }
  /** Goes to the end of the line, behind whatever follows on it. */
  | { readonly kind: "suffix"; readonly text: string; readonly breaks: boolean }
  /** Text with line breaks of its own, written as it is. */
  | { readonly kind: "verbatim"; readonly text: string; readonly breaks: boolean };

function breaks(layout: Layout): boolean {
  return typeof layout === "string" ? false : layout.breaks;
}

export function concat(...parts: readonly Layout[]): Layout {
  return all(parts);
}
/** A list of parts of any length. */
export function all(parts: readonly Layout[]): Layout {
  return { kind: "concat", parts, breaks: parts.some(breaks) };
}
export function indent(...parts: readonly Layout[]): Layout {
  const body = all(parts);
  return { kind: "indent", body, breaks: breaks(body) };
}
/** Breaks all its lines or none. */
export function group(...parts: readonly Layout[]): Layout {
  const body = all(parts);
  return { kind: "group", body, breaks: breaks(body) };
}
export function join(separator: Layout, parts: readonly Layout[]): Layout {
  return all(parts.flatMap((part, i) => (i === 0 ? [part] : [separator, part])));
}
/** A space, or a line break in a broken group. */
export const line: Layout = { kind: "line", flat: " ", hard: false, fresh: false, breaks: false };
/** Nothing, or a line break in a broken group. */
export const softline: Layout = { kind: "line", flat: "", hard: false, fresh: false, breaks: false };
export const hardline: Layout = { kind: "line", flat: "", hard: true, fresh: false, breaks: true };
/** A line break, unless nothing has been written on this line yet. */
export const freshline: Layout = { kind: "line", flat: "", hard: true, fresh: true, breaks: true };
/** Nothing; breaks the groups around it. */
export const breakParent: Layout = { kind: "concat", parts: [], breaks: true };
export function either(broken: Layout, flat: Layout): Layout {
  return { kind: "either", broken, flat, breaks: false };
}
export function suffix(text: string): Layout {
  return { kind: "suffix", text, breaks: false };
}
export function verbatim(text: string): Layout {
  return { kind: "verbatim", text, breaks: false };
}

interface Item {
  readonly layout: Layout;
  readonly level: number;
  readonly flat: boolean;
}

/** Lays a document out within a width, two spaces a level. */
export function print(layout: Layout, width: number): string {
  const out: string[] = [];
  let column = 0;
  let pending = 0;
  let suffixes = "";
  /** Whether white space at the end of the last piece means nothing. */
  let loose = false;
  const stack: Item[] = [{ layout, level: 0, flat: false }];
  const write = (text: string, trim = true) => {
    if (text === "") return;
    if (pending > 0) out.push(" ".repeat(pending));
    column += pending;
    pending = 0;
    out.push(text);
    column += text.length;
    loose = trim;
  };
  const newline = (level: number) => {
    if (loose) out.push((out.pop() ?? "").trimEnd());
    loose = false;
    if (suffixes !== "") out.push(suffixes);
    suffixes = "";
    out.push("\n");
    column = 0;
    pending = level * 2;
  };
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { layout: at, level, flat } = item;
    if (typeof at === "string") {
      write(at);
      continue;
    }
    switch (at.kind) {
      case "concat":
        for (let i = at.parts.length - 1; i >= 0; i--) stack.push({ layout: at.parts[i] ?? "", level, flat });
        break;
      case "indent":
        stack.push({ layout: at.body, level: level + 1, flat });
        break;
      case "group":
        stack.push({ layout: at.body, level, flat: !at.breaks && (flat || fits(at.body, width - column - pending, stack)) });
        break;
      case "line":
        if (flat && !at.hard) write(at.flat);
        else if (at.fresh && column === 0) pending = level * 2;
        else newline(level);
        break;
      case "either":
        stack.push({ layout: flat ? at.flat : at.broken, level, flat });
        break;
      case "suffix":
        suffixes += at.text;
        break;
      case "verbatim": {
        write(at.text, false);
        const last = at.text.lastIndexOf("\n");
        if (last >= 0) column = at.text.length - last - 1;
        break;
      }
    }
  }
  if (suffixes !== "") out.push(suffixes);
  return out.join("");
}

/** Whether a document fits flat, with what follows it up to the next line break. */
function fits(layout: Layout, room: number, after: readonly Item[]): boolean {
  const stack: { layout: Layout; flat: boolean }[] = [{ layout, flat: true }];
  let next = after.length - 1;
  let left = room;
  while (left >= 0) {
    let item = stack.pop();
    if (item === undefined) {
      const rest = after[next--];
      if (rest === undefined) return true;
      item = rest;
    }
    const { layout: at, flat } = item;
    if (typeof at === "string") {
      left -= at.length;
      continue;
    }
    switch (at.kind) {
      case "concat":
        for (let i = at.parts.length - 1; i >= 0; i--) stack.push({ layout: at.parts[i] ?? "", flat });
        break;
      case "indent":
        stack.push({ layout: at.body, flat });
        break;
      case "group":
        stack.push({ layout: at.body, flat: flat && !at.breaks });
        break;
      case "line":
        if (!flat || at.hard) return true;
        left -= at.flat.length;
        break;
      case "either":
        stack.push({ layout: flat ? at.flat : at.broken, flat });
        break;
      case "suffix":
        break;
      case "verbatim": {
        const first = at.text.indexOf("\n");
        left -= first < 0 ? at.text.length : first;
        if (first >= 0) return left >= 0;
        break;
      }
    }
  }
  return false;
}
