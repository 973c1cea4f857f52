/** A program from the command line, read and compiled. Every command that takes a program starts here. */
import { resolve } from "node:path";
import { type Compiled, compile } from "../compile.js";
import { type Problem, problems } from "../diagnostics/problems.js";
import { fileHost, shown } from "../host/files.js";
import type { SourceFile } from "../source/source.js";
import { reportUnreadable } from "./problems.js";

export interface Program {
  readonly compiled: Compiled;
  readonly problems: readonly Problem[];
  readonly ok: boolean;
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
  return { compiled, problems: compiled.problems, ok: compiled.ok, missing: false };
}

const emptyProgram: Compiled = {
  problems: [],
  files: new Map<string, SourceFile>(),
  modules: new Map(),
  typed: undefined,
  graph: undefined,
  ok: false,
};
