/**
 * Test cases that are text files. A case has a title, a SOURCE of one or several `.weave` files (the first is the
 * program) and the sections it wants to see; each is worked out anew and written in the same place. A case is right when
 * what comes out is what stands in the file; `npm run golden` rewrites the files, and the diff is read.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { dumpStage } from "../../src/dump.js";
import { format } from "../../src/format/format.js";
import { virtualClock } from "../../src/host/clock.js";
import { fileHost } from "../../src/host/files.js";
import { models } from "../../src/host/providers/models.js";
import { toolHost } from "../../src/host/tools/host.js";
import { mermaid } from "../../src/plan/draw.js";
import { drawingOf } from "../../src/plan/drawing.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { failureValue } from "../../src/runtime/failure.js";
import { type RunResult, run } from "../../src/runtime/run.js";

const root = join(import.meta.dirname, "..", "..");

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

/**
 * The files of a SOURCE section: fenced blocks, named after the word `weave` (`main.weave` without a name), or a link to
 * a program of the repository, which is taken as it is.
 */
export function sourcesOf(text: string): readonly GoldenSource[] {
  const body = sectionsOf(text).sections.find((section) => section.name === "SOURCE")?.body ?? "";
  const [, linked] = /^\[([^\]]+\.weave)\]\(/m.exec(body) ?? [];
  if (linked !== undefined) return [{ path: linked, text: readFileSync(join(root, linked), "utf8") }];
  return [...body.matchAll(/^(`{3,})weave(?: (\S+))?\n([\s\S]*?)^\1$/gm)].map(([, , path = "main.weave", source = ""]) => ({
    path,
    text: source,
  }));
}

const fence = (text: string, language = ""): string => {
  const marks = "`".repeat(Math.max(3, ...[...text.matchAll(/`{3,}/g)].map(([found]) => found.length + 1)));
  return `\n${marks}${language}\n${text.replace(/\n?$/, "\n")}${marks}\n`;
};

/** Runs `main` with the inputs of the case: simulated agents, real tools, time that passes at once. */
async function carryOut(
  sources: readonly GoldenSource[],
  input: string,
): Promise<{ readonly events: readonly RunEvent[]; readonly result: RunResult }> {
  const overlay = new Map(sources.map(({ path, text }) => [path, text]));
  const { graph, problems } = compile(sources[0]?.path ?? "", fileHost(overlay));
  if (graph === undefined) throw new Error(renderProblems(problems, new Map()));
  const [, inputs = "{}"] = /```json\n([\s\S]*?)```/.exec(input) ?? [];
  const events: RunEvent[] = [];
  const environment = (): undefined => undefined;
  const result = await run(graph, "main", JSON.parse(inputs), {
    id: "golden",
    clock: virtualClock(),
    tools: toolHost({ directory: root, allowed: [] }),
    models: models({ simulateAll: true, environment }),
    environment,
    seed: 1,
    onEvent: (event) => events.push({ ...event }),
  }).result;
  return { events, result };
}

/** One line for an event: what happened, where, and how it ended. */
function eventLine(event: RunEvent): string {
  const at = "path" in event ? event.path : "flow" in event ? event.flow : "";
  const more =
    "failure" in event ? `${event.failure.kind}: ${event.failure.message}` : "chosen" in event ? `${event.of} ${event.chosen}` : "";
  return `${String(Math.round(event.at)).padStart(6)} ms  ${event.kind.padEnd(18)} ${at}${more === "" ? "" : `  ${more}`}`.trimEnd();
}

/** What a section should hold for a case. */
async function produce(name: string, sources: readonly GoldenSource[], input: string): Promise<string> {
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
    case "EVENTS": {
      const { events } = await carryOut(sources, input);
      return fence(events.map(eventLine).join("\n"));
    }
    case "RESULT": {
      const { status, value, failure, partial, spend, problems } = (await carryOut(sources, input)).result;
      if (problems.length > 0) return fence(renderProblems(problems, compiled.files));
      const shown = failure === undefined ? { status, value, spend } : { status, failure: failureValue(failure), partial, spend };
      return fence(JSON.stringify(shown, null, 2), "json");
    }
    default:
      throw new Error(`a golden case cannot have the section ${name}`);
  }
}

/** A case as it should be: its own text with every section but SOURCE worked out anew. */
export async function worked(path: string): Promise<string> {
  const text = readFileSync(path, "utf8");
  const sources = sourcesOf(text);
  if (sources.length === 0) throw new Error(`${path} has no SOURCE with a \`\`\`weave block`);
  const { head, sections } = sectionsOf(text);
  const input = sections.find((section) => section.name === "INPUT")?.body ?? "";
  const given = ["SOURCE", "INPUT"];
  const bodies = await Promise.all(
    sections.map(async ({ name, body }) => (given.includes(name) ? body : await produce(name, sources, input))),
  );
  return (
    head + sections.map(({ name }, i) => `## ${name}\n${(bodies[i] ?? "").trimEnd()}\n${i === sections.length - 1 ? "" : "\n"}`).join("")
  );
}
