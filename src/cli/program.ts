/**
 * A program from the command line: read, compiled, its problems shown. What is wrong with the file itself (missing, a
 * folder, not text) is a problem like any other. Every command that takes a file starts here.
 */
import { dirname, resolve } from "node:path";
import { type Compiled, compile } from "../compile.js";
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problem, type Problems, problems } from "../diagnostics/problems.js";
import { countProblems, renderProblems } from "../diagnostics/render.js";
import { nearest } from "../diagnostics/suggest.js";
import { fileHost, isFolder, shown, type Unreadable, weaveFiles } from "../host/files.js";
import type { SourceFile } from "../source/source.js";
import { bold, type Terminal } from "./terminal.js";

export interface Program {
  readonly compiled: Compiled;
  readonly problems: readonly Problem[];
  readonly ok: boolean;
}

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

/** Compiles a program. `missing` is true when its own file cannot be read: wrong use of the command, not a wrong program. */
export function loadProgram(named: string): Program & { readonly missing: boolean } {
  const path = named.startsWith("std:") ? named : shown(resolve(named));
  const host = fileHost();
  const found = problems();
  const text = host.read(path);
  const failure = host.failures().get(path);
  if (text === undefined && failure !== undefined) {
    reportUnreadable(path, failure, found);
    return { compiled: emptyProgram, problems: found.list(), ok: false, missing: true };
  }
  const compiled = compile(path, host);
  // A missing import is the compiler's to report, where it is written; what exists and cannot be read is told here.
  for (const [file, reason] of host.failures())
    if (reason.kind === "binary" || reason.kind === "refused") reportUnreadable(file, reason, found);
  const all = [...compiled.problems, ...found.list()];
  return { compiled, problems: all, ok: compiled.ok && !found.hasErrors(), missing: false };
}

const emptyProgram: Compiled = { problems: [], files: new Map<string, SourceFile>(), modules: new Map(), graph: undefined, ok: false };

/** Writes problems, and how many there are, to standard error. */
export function showProblems(found: readonly Problem[], files: ReadonlyMap<string, SourceFile>, to: Terminal): void {
  if (found.length === 0) return;
  to.err(`${renderProblems(found, files, { color: to.color, width: to.width })}\n`);
  const count = countProblems(found);
  if (count !== undefined) to.err(`${bold(count, to.color)}\n`);
}
