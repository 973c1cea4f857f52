/**
 * Test cases that are text files. A case has a title, a SOURCE of one or several `.weave` files (the first is the
 * program) and the sections it wants to see; each is worked out anew and written in the same place. A case is right when
 * what comes out is what stands in the file; `npm run golden` rewrites the files, and the diff is read.
 */
import { readFileSync } from "node:fs";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { dumpStage } from "../../src/dump.js";
import { format } from "../../src/format/format.js";
import { fileHost } from "../../src/host/files.js";
import { mermaid } from "../../src/plan/draw.js";
import { drawingOf } from "../../src/plan/drawing.js";

export interface GoldenSource {
  readonly path: string;
  readonly text: string;
}

interface Section {
  readonly name: string;
  /** What stands below the name, as it is. */
  readonly body: string;
}

/** The sections of a case file, with what stands before the first one. */
function sectionsOf(text: string): { readonly head: string; readonly sections: readonly Section[] } {
  const parts = text.split(/^## ([A-Z]+)\n/m);
  const sections: Section[] = [];
  for (let i = 1; i + 1 < parts.length; i += 2) sections.push({ name: parts[i] ?? "", body: parts[i + 1] ?? "" });
  return { head: parts[0] ?? "", sections };
}

/** The files of a SOURCE section: fenced blocks, named after the word `weave` (`main.weave` without a name). */
export function sourcesOf(text: string): readonly GoldenSource[] {
  const body = sectionsOf(text).sections.find((section) => section.name === "SOURCE")?.body ?? "";
  return [...body.matchAll(/^(`{3,})weave(?: (\S+))?\n([\s\S]*?)^\1$/gm)].map(([, , path = "main.weave", source = ""]) => ({
    path,
    text: source,
  }));
}

const fence = (text: string, language = ""): string => {
  const marks = "`".repeat(Math.max(3, ...[...text.matchAll(/`{3,}/g)].map(([found]) => found.length + 1)));
  return `\n${marks}${language}\n${text.replace(/\n?$/, "\n")}${marks}\n`;
};

/** What a section should hold for a case. */
function produce(name: string, sources: readonly GoldenSource[]): string {
  const overlay = new Map(sources.map(({ path, text }) => [path, text]));
  const entry = sources[0]?.path ?? "main.weave";
  const compiled = compile(entry, fileHost(overlay));
  switch (name) {
    case "DIAGNOSTICS":
      return fence(compiled.problems.length === 0 ? "none" : renderProblems(compiled.problems, compiled.files));
    case "AST":
      return fence(dumpStage("ast", entry, fileHost(overlay)));
    case "NAMES":
      return fence(dumpStage("names", entry, fileHost(overlay)));
    case "TYPES":
      return fence(dumpStage("types", entry, fileHost(overlay)));
    case "GRAPH": {
      const { graph } = compiled;
      if (graph === undefined) return fence("none");
      const flows = Object.values(graph.entries).map((id) => graph.flows[id]);
      return flows.map((flow) => (flow === undefined ? "" : fence(mermaid(drawingOf(graph, flow)), "mermaid"))).join("");
    }
    case "FORMATTED": {
      const module = compiled.modules.get(entry);
      const file = compiled.files.get(entry);
      return module === undefined || file === undefined ? fence("none") : fence(format(module, file), "weave");
    }
    default:
      throw new Error(`a golden case cannot have the section ${name}`);
  }
}

/** A case as it should be: its own text with every section but SOURCE worked out anew. */
export function worked(path: string): string {
  const text = readFileSync(path, "utf8");
  const sources = sourcesOf(text);
  if (sources.length === 0) throw new Error(`${path} has no SOURCE with a \`\`\`weave block`);
  const { head, sections } = sectionsOf(text);
  const bodies = sections.map((section, i) => {
    const body = section.name === "SOURCE" ? section.body : produce(section.name, sources);
    return `## ${section.name}\n${body.trimEnd()}\n${i === sections.length - 1 ? "" : "\n"}`;
  });
  return head + bodies.join("");
}
