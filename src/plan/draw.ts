/** A drawing as text for other programs: Mermaid, DOT, and JSON for those that draw themselves. */
import type { Drawing, DrawnEdge, DrawnPart, DrawnStep, Shape } from "./drawing.js";

const MERMAID: Readonly<Record<Shape, readonly [open: string, close: string]>> = {
  input: ["([", "])"],
  output: ["([", "])"],
  agent: ["[", "]"],
  tool: ["[", "]"],
  effect: ["[", "]"],
  flow: ["[[", "]]"],
  capability: ["{{", "}}"],
  channel: [">", "]"],
  value: ["(", ")"],
  guard: ["{", "}"],
  region: ["[", "]"],
};

const MERMAID_STYLES = [
  "  classDef agent fill:#eef2ff,stroke:#6366f1,color:#312e81",
  "  classDef tool fill:#ecfdf5,stroke:#10b981,color:#064e3b",
  "  classDef effect fill:#fff7ed,stroke:#f97316,color:#7c2d12",
  "  classDef guard fill:#fefce8,stroke:#ca8a04,color:#713f12",
];

/** The drawing as a Mermaid flowchart. */
export function mermaid(drawing: Drawing): string {
  const lines = ["flowchart TD"];
  const text = (step: DrawnStep): string => `"${[...step.title.split("\n"), ...step.notes].map(mermaidText).join("<br/>")}"`;
  const draw = (part: DrawnPart, indent: string): void => {
    for (const step of part.steps) {
      if (step.parts.length === 0) {
        const [open, close] = MERMAID[step.shape];
        const styled = ["agent", "tool", "effect", "guard"].includes(step.shape) ? `:::${step.shape}` : "";
        lines.push(`${indent}${step.id}${open}${text(step)}${close}${styled}`);
        continue;
      }
      lines.push(`${indent}subgraph ${step.id}[${text(step)}]`);
      step.parts.forEach((inner, i) => {
        if (inner.title === "" && step.parts.length === 1) draw(inner, `${indent}  `);
        else {
          lines.push(`${indent}  subgraph ${step.id}p${i}["${mermaidText(inner.title)}"]`);
          draw(inner, `${indent}    `);
          lines.push(`${indent}  end`);
        }
      });
      lines.push(`${indent}end`);
    }
    for (const edge of part.edges) lines.push(`${indent}${edge.from} ${mermaidArrow(edge)} ${edge.to}`);
  };
  draw(drawing, "  ");
  return [...lines, ...MERMAID_STYLES, ""].join("\n");
}

const mermaidArrow = ({ kind, critical }: DrawnEdge): string => (kind === "order" ? "-.->" : critical ? "==>" : "-->");

const mermaidText = (text: string): string => text.replace(/[#"<>&`]/g, (sign) => `#${sign.codePointAt(0)};`).replace(/\s+/g, " ");

const DOT: Readonly<Record<Shape, string>> = {
  input: 'shape=box style="rounded,filled" fillcolor="#1e293b" fontcolor="#f8fafc"',
  output: 'shape=box style="rounded,filled" fillcolor="#1e293b" fontcolor="#f8fafc"',
  agent: 'shape=box style="rounded,filled" fillcolor="#eef2ff" color="#6366f1"',
  tool: 'shape=box style="rounded,filled" fillcolor="#ecfdf5" color="#10b981"',
  effect: 'shape=box style="rounded,filled" fillcolor="#fff7ed" color="#f97316"',
  flow: 'shape=box peripheries=2 style="filled" fillcolor="#f0f9ff" color="#0284c7"',
  capability: 'shape=hexagon style="filled" fillcolor="#fdf4ff" color="#c026d3"',
  channel: 'shape=cds style="filled" fillcolor="#fdf2f8" color="#db2777"',
  value: 'shape=box style="rounded" color="#cbd5e1" fontcolor="#475569"',
  guard: 'shape=diamond style="filled" fillcolor="#fefce8" color="#ca8a04"',
  region: "shape=box",
};

/** The drawing in Graphviz's language; regions are clusters. */
export function dot(drawing: Drawing): string {
  const lines = [
    `digraph ${quote(drawing.flow)} {`,
    "  compound=true; rankdir=TB;",
    '  node [fontname="Helvetica" fontsize=11]; edge [color="#94a3b8"];',
  ];
  const regions = new Map<string, string>();
  const draw = (part: DrawnPart, indent: string): void => {
    for (const step of part.steps) {
      const label = quote([...step.title.split("\n"), ...step.notes].join("\n"));
      if (step.parts.length === 0) {
        lines.push(`${indent}${step.id} [label=${label} ${DOT[step.shape]}];`);
        continue;
      }
      regions.set(step.id, `cluster_${step.id}`);
      lines.push(
        `${indent}subgraph cluster_${step.id} {`,
        `${indent}  label=${label}; style=dashed; color="#94a3b8"; fontname="Helvetica"; fontsize=11;`,
      );
      lines.push(`${indent}  ${step.id} [shape=point style=invis];`);
      step.parts.forEach((inner, i) => {
        if (inner.title === "" && step.parts.length === 1) draw(inner, `${indent}  `);
        else {
          lines.push(
            `${indent}  subgraph cluster_${step.id}p${i} {`,
            `${indent}    label=${quote(inner.title)}; style=solid; color="#e2e8f0";`,
          );
          draw(inner, `${indent}    `);
          lines.push(`${indent}  }`);
        }
      });
      lines.push(`${indent}}`);
    }
    for (const { from, to, kind, critical } of part.edges) {
      const options = [
        ...(regions.has(from) ? [`ltail=${regions.get(from)}`] : []),
        ...(regions.has(to) ? [`lhead=${regions.get(to)}`] : []),
        ...(kind === "order" ? ["style=dashed"] : critical ? ['penwidth=2 color="#334155"'] : []),
      ];
      lines.push(`${indent}${from} -> ${to}${options.length > 0 ? ` [${options.join(" ")}]` : ""};`);
    }
  };
  draw(drawing, "  ");
  return [...lines, "}", ""].join("\n");
}

const quote = (text: string): string => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;

/** The drawing as data. */
export function drawingJson(drawing: Drawing): string {
  return `${JSON.stringify({ version: 1, ...drawing }, null, 2)}\n`;
}
