/**
 * A flow as one SVG picture that needs no other program and no font of its own: steps as boxes, regions as boxes
 * around their parts, the longest chain in bold. Sizes are worked out from the inside outwards; edges only join steps
 * of the same body, so each body is laid out by itself.
 */
import type { Drawing, DrawnEdge, DrawnPart, DrawnStep, Shape } from "./drawing.js";
import { type Layout, layered, type Point, type Spacing } from "./layout.js";

const SPACING: Spacing = { across: 26, down: 40, widest: 1500 };
const INSIDE: Spacing = { across: 20, down: 32, widest: 1200 };
const PAD = 14;
const MARGIN = 24;
const FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

interface Look {
  readonly fill: string;
  readonly stroke: string;
  readonly text: string;
  readonly radius: number;
}

const LOOK: Readonly<Record<Shape, Look>> = {
  input: { fill: "#1e293b", stroke: "#1e293b", text: "#f8fafc", radius: 17 },
  output: { fill: "#1e293b", stroke: "#1e293b", text: "#f8fafc", radius: 17 },
  agent: { fill: "#eef2ff", stroke: "#6366f1", text: "#312e81", radius: 9 },
  tool: { fill: "#ecfdf5", stroke: "#10b981", text: "#064e3b", radius: 9 },
  effect: { fill: "#fff7ed", stroke: "#f97316", text: "#7c2d12", radius: 9 },
  flow: { fill: "#f0f9ff", stroke: "#0284c7", text: "#0c4a6e", radius: 9 },
  capability: { fill: "#fdf4ff", stroke: "#c026d3", text: "#701a75", radius: 9 },
  channel: { fill: "#fdf2f8", stroke: "#db2777", text: "#831843", radius: 9 },
  value: { fill: "#ffffff", stroke: "#cbd5e1", text: "#475569", radius: 13 },
  guard: { fill: "#fefce8", stroke: "#ca8a04", text: "#713f12", radius: 4 },
  region: { fill: "#f8fafc", stroke: "#94a3b8", text: "#0f172a", radius: 12 },
};

const TITLE = 13;
const NOTE = 10.5;
const LINE = 15;

interface Sized {
  readonly width: number;
  readonly height: number;
  /** The picture of it with its top left corner at a point. */
  readonly paint: (x: number, y: number) => string;
}

/** The picture of a drawing. */
export function svg(drawing: Drawing): string {
  const head = [drawing.title, ...(drawing.notes.length > 0 ? [drawing.notes.join(" · ")] : [])];
  const body = sizeBody(drawing, SPACING);
  const headWidth = Math.max(textWidth(head[0] ?? "", 17, true), textWidth(head[1] ?? "", 11.5, false));
  const width = Math.ceil(Math.max(body.width, headWidth, 220) + 2 * MARGIN);
  const headHeight = head.length > 1 ? 52 : 36;
  const height = Math.ceil(body.height + headHeight + 2 * MARGIN + 22);
  const calls = `${drawing.depth} ${drawing.depth === 1 ? "call" : "calls"} in the longest chain`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" role="img" aria-label="${escapeText(`The flow ${drawing.flow}`)}">`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.8 L7.4 4 L0 7.2 z" fill="#94a3b8"/></marker>`,
    `<marker id="arrow-bold" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto"><path d="M0 0.8 L7.4 4 L0 7.2 z" fill="#334155"/></marker></defs>`,
    `<rect width="${width}" height="${height}" rx="14" fill="#ffffff"/>`,
    write(MARGIN, MARGIN + 16, head[0] ?? "", { size: 17, color: "#0f172a", bold: true }),
    ...(head[1] === undefined ? [] : [write(MARGIN, MARGIN + 35, head[1], { size: 11.5, color: "#64748b" })]),
    body.paint(MARGIN + (width - 2 * MARGIN - body.width) / 2, MARGIN + headHeight),
    write(width - MARGIN, height - 14, calls, { size: 10, color: "#94a3b8", anchor: "end" }),
    "</svg>\n",
  ].join("\n");
}

function sizeBody(part: DrawnPart, spacing: Spacing): Sized {
  const sizes = new Map(part.steps.map((step) => [step.id, sizeStep(step)]));
  const layout = layered(
    part.steps.map((step) => ({ id: step.id, width: sizes.get(step.id)?.width ?? 0, height: sizes.get(step.id)?.height ?? 0 })),
    part.edges,
    spacing,
  );
  return {
    width: layout.width,
    height: layout.height,
    paint: (x, y) =>
      [
        ...part.edges.map((edge, i) => paintEdge(edge, layout.routes[i], x, y)),
        ...part.steps.map((step) => paintAt(sizes.get(step.id), layout, step.id, x, y)),
      ].join("\n"),
  };
}

function paintAt(sized: Sized | undefined, layout: Layout, id: string, x: number, y: number): string {
  const at = layout.at.get(id);
  return sized === undefined || at === undefined ? "" : sized.paint(x + at.x, y + at.y);
}

function sizeStep(step: DrawnStep): Sized {
  return step.parts.length > 0 ? sizeRegion(step) : sizeBox(step);
}

function sizeBox(step: DrawnStep): Sized {
  const look = LOOK[step.shape];
  const titles = step.title.split("\n");
  const quiet = step.shape === "value";
  const size = quiet ? 11.5 : TITLE;
  const width = Math.max(
    64,
    ...titles.map((line) => textWidth(line, size, !quiet) + 28),
    ...step.notes.map((line) => textWidth(line, NOTE, false) + 28),
  );
  const height = titles.length * 17 + step.notes.length * LINE + (quiet ? 10 : 17);
  const paint = (x: number, y: number): string => {
    const middle = x + width / 2;
    let line = y + (quiet ? 17 : 21);
    const texts = titles.map((text) => {
      const out = write(middle, line, text, { size, color: look.text, bold: !quiet, anchor: "middle" });
      line += 17;
      return out;
    });
    line -= 2;
    for (const note of step.notes) {
      texts.push(write(middle, line, note, { size: NOTE, color: look.text, faint: true, anchor: "middle" }));
      line += LINE;
    }
    return [rect(x, y, width, height, look, step.critical ? 2 : 1.2, false), ...texts].join("\n");
  };
  return { width, height, paint };
}

function sizeRegion(step: DrawnStep): Sized {
  const look = LOOK.region;
  const parts = step.parts.map((part) => ({ title: part.title, body: sizeBody(part, INSIDE) }));
  const several = parts.length > 1 || parts.some((part) => part.title !== "");
  const caption = several ? 20 : 0;
  const cells = parts.map(({ title, body }) => ({
    title,
    body,
    width: Math.max(body.width, textWidth(title, 11, true)) + (several ? 2 * 10 : 0),
    height: body.height + caption + (several ? 2 * 9 : 0),
  }));
  const rows: (typeof cells)[] = [];
  let room = 0;
  for (const cell of cells) {
    const row = rows.at(-1);
    if (row === undefined || room + cell.width > INSIDE.widest) {
      rows.push([cell]);
      room = cell.width;
    } else {
      row.push(cell);
      room += cell.width + 12;
    }
  }
  const rowWidth = (row: typeof cells): number => row.reduce((sum, cell) => sum + cell.width + 12, -12);
  const rowHeight = (row: typeof cells): number => Math.max(...row.map((cell) => cell.height));
  const note = step.notes.join(" · ");
  const head = note === "" ? 30 : 45;
  const width = Math.max(textWidth(step.title, TITLE, true), textWidth(note, NOTE, false), ...rows.map(rowWidth)) + 2 * PAD;
  const height = head + rows.reduce((sum, row) => sum + rowHeight(row) + 12, -12) + PAD;
  const paint = (x: number, y: number): string => {
    const out = [
      rect(x, y, width, height, look, step.critical ? 1.8 : 1.1, true),
      write(x + PAD, y + 20, step.title, { size: TITLE, color: look.text, bold: true }),
    ];
    if (note !== "") out.push(write(x + PAD, y + 35, note, { size: NOTE, color: "#475569", faint: true }));
    let top = y + head;
    for (const row of rows) {
      let left = x + (width - rowWidth(row)) / 2;
      for (const cell of row) {
        if (several) {
          out.push(rect(left, top, cell.width, rowHeight(row), { fill: "#ffffff", stroke: "#e2e8f0", text: "", radius: 9 }, 1, false));
          out.push(write(left + 10, top + 16, cell.title, { size: 11, color: "#64748b", bold: true }));
        }
        out.push(cell.body.paint(left + (cell.width - cell.body.width) / 2, top + caption + (several ? 9 : 0)));
        left += cell.width + 12;
      }
      top += rowHeight(row) + 12;
    }
    return out.join("\n");
  };
  return { width, height, paint };
}

function paintEdge(edge: DrawnEdge, route: readonly Point[] | undefined, x: number, y: number): string {
  const [first, ...rest] = route ?? [];
  if (first === undefined || rest.length === 0) return "";
  let path = `M${num(x + first.x)} ${num(y + first.y)}`;
  let from = first;
  rest.forEach((to, i) => {
    const end = i === rest.length - 1 ? 2 : 0;
    if (Math.abs(from.x - to.x) < 0.5) path += ` L${num(x + to.x)} ${num(y + to.y - end)}`;
    else {
      const bend = (to.y - from.y) / 2;
      path += ` C${num(x + from.x)} ${num(y + from.y + bend)} ${num(x + to.x)} ${num(y + to.y - bend)} ${num(x + to.x)} ${num(y + to.y - end)}`;
    }
    from = to;
  });
  const dash = edge.kind === "order" ? ' stroke-dasharray="4 4"' : "";
  return edge.critical
    ? `<path d="${path}" fill="none" stroke="#334155" stroke-width="2.2"${dash} marker-end="url(#arrow-bold)"/>`
    : `<path d="${path}" fill="none" stroke="#94a3b8" stroke-width="1.4"${dash} marker-end="url(#arrow)"/>`;
}

function rect(x: number, y: number, width: number, height: number, look: Look, stroke: number, dashed: boolean): string {
  const dash = dashed ? ' stroke-dasharray="5 4"' : "";
  return `<rect x="${num(x)}" y="${num(y)}" width="${num(width)}" height="${num(height)}" rx="${Math.min(look.radius, height / 2)}" fill="${look.fill}" stroke="${look.stroke}" stroke-width="${stroke}"${dash}/>`;
}

interface Writing {
  readonly size: number;
  readonly color: string;
  readonly bold?: boolean;
  readonly faint?: boolean;
  readonly anchor?: "middle" | "end";
}

function write(x: number, y: number, text: string, { size, color, bold, faint, anchor }: Writing): string {
  const style = `${bold ? ' font-weight="600"' : ""}${faint ? ' opacity="0.78"' : ""}${anchor === undefined ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${num(x)}" y="${num(y)}" font-size="${size}" fill="${color}"${style}>${escapeText(text)}</text>`;
}

const num = (value: number): string => String(Math.round(value * 10) / 10);

const escapeText = (text: string): string =>
  text
    .replace(/[&<>"]/g, (sign) => (sign === "&" ? "&amp;" : sign === "<" ? "&lt;" : sign === ">" ? "&gt;" : "&quot;"))
    .replace(/[\u0000-\u001f]/g, " ");

/** About the width of a text: fonts differ, so it is an upper estimate of the usual ones. */
function textWidth(text: string, size: number, bold: boolean): number {
  let width = 0;
  for (const sign of text) {
    if (/[iljtfr.,:;'|!()[\] ]/.test(sign)) width += 0.38;
    else if (/[mwMW@%…]/.test(sign)) width += 0.92;
    else if (/[A-Z]/.test(sign)) width += 0.72;
    else width += (sign.codePointAt(0) ?? 0) >= 0x2e80 ? 1 : 0.62;
  }
  return width * size * (bold ? 1.06 : 1);
}
