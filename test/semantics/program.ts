/** Small programs for tests: checked from text, with the standard library, and asked for what was found. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../src/compile.js";
import { type Problem, problems } from "../../src/diagnostics/problems.js";
import { check, type Typed } from "../../src/semantics/check.js";
import { type CompilerHost, resolve } from "../../src/semantics/resolve.js";
import { typeText } from "../../src/semantics/types.js";

const STDLIB = join(import.meta.dirname, "../../stdlib");

/** A host with one file and the standard library. */
export function hostOf(files: Readonly<Record<string, string>>): CompilerHost {
  return {
    read(path) {
      if (!path.startsWith("std:")) return files[path];
      try {
        return readFileSync(join(STDLIB, `${path.slice(4)}.weave`), "utf8");
      } catch {
        return undefined;
      }
    },
    resolve: (_from, specifier) => (specifier.startsWith("std/") ? `std:${specifier.slice(4)}` : specifier),
  };
}

export function checked(source: string): { readonly typed: Typed; readonly found: readonly Problem[] } {
  const found = problems();
  const typed = check(resolve("main.weave", hostOf({ "main.weave": source }), found), found);
  return { typed, found: found.list() };
}

/** Every problem as `code «marked text»`, and those whose code begins with a prefix. */
export function codes(source: string, prefix = "W"): readonly string[] {
  return checked(source)
    .found.filter((p) => p.code.startsWith(prefix))
    .map((p) => `${p.code} «${source.slice(p.span.start, p.span.end)}»`);
}

/** The same after every stage of the compiler; lints are reported only where there are no errors. */
export function compiledCodes(source: string, prefix = "W"): readonly string[] {
  const { problems: found } = compile("main.weave", hostOf({ "main.weave": source }));
  const broken = found.filter((p) => p.severity === "error" && !p.code.startsWith(prefix));
  if (broken.length > 0) throw new Error(broken.map((p) => `${p.code} ${p.title}`).join("\n"));
  return found.filter((p) => p.code.startsWith(prefix)).map((p) => `${p.code} «${source.slice(p.span.start, p.span.end)}»`);
}

/** The one problem of a program with a code. */
export function problem(source: string, code: string): Problem {
  const found = checked(source).found.filter((p) => p.code === code);
  const [first] = found;
  if (first === undefined || found.length !== 1) {
    throw new Error(`expected one ${code}, found ${JSON.stringify(checked(source).found.map((p) => `${p.code} ${p.title}`))}`);
  }
  return first;
}

/** The type of an expression over some parameters; fails on any error. */
export function typeOf(expression: string, params = ""): string {
  const { typed, found } = checked(`flow probe(${params}) {\n  ${expression}\n}`);
  const errors = found.filter((p) => p.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((p) => `${p.code} ${p.title}: ${p.label ?? ""}`).join("\n"));
  const symbol = typed.resolved.entry.names.get("probe");
  const callable = symbol === undefined ? undefined : typed.checker.signature(symbol);
  return callable === undefined ? "?" : typeText(callable.result());
}
