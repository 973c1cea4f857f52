/**
 * Problems on the command line: shown on standard error, and those that a file itself makes (missing, a folder, not
 * text) reported like any other.
 */
import { dirname } from "node:path";
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problem, Problems } from "../diagnostics/problems.js";
import { countProblems, renderProblems } from "../diagnostics/render.js";
import { nearest } from "../diagnostics/suggest.js";
import { isFolder, type Unreadable, weaveFiles } from "../host/files.js";
import type { SourceFile } from "../source/source.js";
import { bold, dim, type Terminal } from "./terminal.js";

/** Problems of a file that could not be read, by the path as it was given. */
export function reportUnreadable(path: string, failure: Unreadable, to: Problems): void {
  const span = { file: path, start: 0, end: 0 };
  switch (failure.kind) {
    case "missing": {
      const folder = dirname(path);
      to.report(d.noSuchFile, span, { near: isFolder(folder) ? nearest(path, siblings(folder)) : undefined });
      return;
    }
    case "folder":
      to.report(d.folderNotFile, span, { holds: siblings(path)[0] });
      return;
    case "binary":
      to.report(d.notText, span, { offset: failure.offset });
      return;
    case "outside":
      to.report(d.unreadableFile, span, { reason: `it lies outside of the project ${failure.project}` });
      return;
    case "refused":
      to.report(d.unreadableFile, span, { reason: failure.reason });
      return;
  }
}

function siblings(folder: string): string[] {
  try {
    return weaveFiles(folder).slice(0, 200);
  } catch {
    return [];
  }
}

/** Writes problems, and how many there are, to standard error. */
export function showProblems(found: readonly Problem[], files: ReadonlyMap<string, SourceFile>, to: Terminal): void {
  if (found.length === 0) return;
  to.err(`${renderProblems(found, files, { color: to.color, width: to.width })}\n`);
  const count = countProblems(found);
  if (count !== undefined) to.err(`${bold(count, to.color)}\n`);
}

/**
 * The same for a command that does something else than check: errors in full, and where there are none a line that says
 * how many warnings `weave check` would show.
 */
export function showErrors(found: readonly Problem[], files: ReadonlyMap<string, SourceFile>, file: string, to: Terminal): void {
  if (found.some((problem) => problem.severity === "error")) {
    showProblems(found, files, to);
    return;
  }
  const count = countProblems(found.filter((problem) => problem.severity === "warning"));
  if (count !== undefined)
    to.err(`${dim(`${count}; \`weave check ${file}\` shows ${count.startsWith("1 ") ? "it" : "them"}`, to.color)}\n`);
}
