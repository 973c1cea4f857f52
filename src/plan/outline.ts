/** A drawing as an indented outline for a terminal: steps in the order of the source, regions with what is inside them. */
import type { Drawing, DrawnPart, DrawnStep } from "./drawing.js";

/** The outline, a line for each step; `loud` and `faint` colour the names and what is said about them. */
export function outline(drawing: Drawing, loud: (text: string) => string, faint: (text: string) => string): string {
  const rows: { readonly lead: string; readonly name: string; readonly notes: string }[] = [];
  const visit = (part: DrawnPart, indent: string): void => {
    const titles = new Map(part.steps.map((step) => [step.id, step.title]));
    const shown = part.steps.filter((step) => step.shape !== "input" && step.shape !== "output");
    shown.forEach((step, i) => {
      const last = i === shown.length - 1;
      rows.push({ lead: `${indent}${last ? "└─ " : "├─ "}`, name: step.title, notes: notesOf(step, part, titles) });
      const deeper = `${indent}${last ? "   " : "│  "}`;
      for (const inner of step.parts) {
        if (inner.title === "") visit(inner, deeper);
        else {
          const end = inner === step.parts.at(-1);
          rows.push({ lead: `${deeper}${end ? "└─ " : "├─ "}`, name: inner.title, notes: "" });
          visit(inner, `${deeper}${end ? "   " : "│  "}`);
        }
      }
    });
  };
  visit(drawing, "");
  const input = drawing.steps.find((step) => step.shape === "input");
  const output = drawing.steps.find((step) => step.shape === "output");
  const signature = `${drawing.flow}(${(input?.title ?? "").split("\n").join(", ")}) -> ${output?.title ?? "null"}`;
  const wide = Math.min(48, Math.max(0, ...rows.map((row) => row.lead.length + row.name.length)));
  return [
    `${loud(signature)}${drawing.notes.length > 0 ? `  ${faint(drawing.notes.join(" · "))}` : ""}`,
    ...rows.map(({ lead, name, notes }) =>
      notes === ""
        ? `${faint(lead)}${name}`
        : `${faint(lead)}${name}${" ".repeat(Math.max(0, wide - lead.length - name.length) + 2)}${faint(notes)}`,
    ),
  ].join("\n");
}

function notesOf(step: DrawnStep, part: DrawnPart, titles: ReadonlyMap<string, string>): string {
  const waits = part.edges.filter((edge) => edge.to === step.id && titles.get(edge.from) !== undefined);
  const inputs = new Set(part.steps.filter((each) => each.shape === "input").map((each) => each.id));
  const before = waits
    .filter((edge) => !inputs.has(edge.from))
    .map((edge) => titles.get(edge.from) ?? "")
    .filter((title) => !step.notes.includes(`over ${title.replace(/^\w+ /, "")}`));
  return [...step.notes, ...(before.length === 0 ? [] : [`after ${[...new Set(before)].join(", ")}`])].join(" · ");
}
