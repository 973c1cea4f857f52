/**
 * Names across files: loads the files an entry file imports, gives each a scope, and reports what does not resolve:
 * missing files and names, private names, duplicates, cycles of imports. It never stops at the first mistake; a file
 * that cannot be read is an empty one.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { type SourceFile, sourceFile } from "../source/source.js";
import type { Declaration, Import } from "../syntax/ast.js";
import { parse } from "../syntax/parser.js";
import { builtins } from "./builtins.js";
import type { DeclSymbol, ModuleScope } from "./symbols.js";

/** Where source text comes from; the compiler itself touches no file system. */
export interface CompilerHost {
  /** The text of a file, or undefined when there is none. */
  read(path: string): string | undefined;
  /** The path of what `specifier` means in `from` (relative, `std/…` or a package); undefined when there is none. */
  resolve(from: string, specifier: string): string | undefined;
  /** Why a file that is there cannot be read, as a sentence without its full stop. */
  reason?(path: string): string | undefined;
}

/** A program with its names resolved. */
export interface Resolved {
  readonly entry: ModuleScope;
  readonly prelude: ModuleScope | undefined;
  /** In the order in which they were reached, the entry first. */
  readonly scopes: readonly ModuleScope[];
  readonly files: ReadonlyMap<string, SourceFile>;
}

export const BUILTIN_TYPES: ReadonlySet<string> = new Set([
  "string",
  "int",
  "float",
  "bool",
  "json",
  "null",
  "duration",
  "money",
  "image",
  "audio",
  "document",
  "map",
]);

export function resolve(entry: string, host: CompilerHost, problems: Problems): Resolved {
  const scopes = new Map<string, ModuleScope>();
  const files = new Map<string, SourceFile>();
  const loading: string[] = [];

  const preludePath = host.resolve(entry, "std/prelude");
  const prelude = preludePath === undefined ? undefined : load(preludePath, "std/prelude", true);
  const entryScope = load(entry, "", false);

  function load(path: string, label: string, isPrelude: boolean): ModuleScope {
    const known = scopes.get(path);
    if (known !== undefined) return known;
    const text = host.read(path);
    const file = sourceFile(path, text ?? "");
    files.set(path, file);
    if (text === undefined) problems.report(d.fileNotFound, { file: path, start: 0, end: 0 }, { path, reason: host.reason?.(path) });
    const module = parse(file, problems);
    const scope: ModuleScope = {
      module,
      label,
      isPrelude,
      names: new Map(),
      imports: new Map(),
      used: new Set(),
      failed: new Set(),
      twice: new Set(),
    };
    scopes.set(path, scope);
    loading.push(path);
    declare(scope);
    for (const imported of module.imports) importNames(scope, imported);
    loading.pop();
    return scope;
  }

  function declare(scope: ModuleScope): void {
    for (const decl of scope.module.declarations) {
      if (decl.kind === "TestDecl" || decl.kind === "OnDecl" || decl.kind === "MissingDecl") continue;
      const { text, span } = decl.name;
      if (text === "") continue;
      if (decl.kind === "TypeDecl" && BUILTIN_TYPES.has(text)) {
        problems.report(d.builtinTypeName, span, { name: text });
        scope.failed.add(text);
        continue;
      }
      if (builtins.has(text)) problems.report(d.shadowsBuiltin, span, { name: text });
      const other = scope.names.get(text);
      if (other !== undefined) {
        problems.report(
          d.duplicateName,
          span,
          { name: text, local: false },
          { related: [{ span: other.decl.name.span, message: "first declared here" }] },
        );
        scope.twice.add(text);
        continue;
      }
      scope.names.set(text, symbolOf(scope, decl));
    }
  }

  function symbolOf(scope: ModuleScope, decl: Declaration): DeclSymbol {
    const name = decl.name.text;
    return { name, decl, scope, id: scope.label === "" ? name : `${scope.label}:${name}` };
  }

  function importNames(scope: ModuleScope, imported: Import): void {
    const specifier = imported.from.value;
    if (specifier === "") return;
    const path = host.resolve(scope.module.file, specifier);
    if (path === undefined) {
      problems.report(d.importNotFound, imported.from.span, { specifier });
      bindUnknown(scope, imported);
      return;
    }
    if (loading.includes(path)) {
      const cycle = [...loading.slice(loading.indexOf(path)), path];
      problems.report(d.importCycle, imported.from.span, { cycle });
      bindUnknown(scope, imported);
      return;
    }
    if (!scopes.has(path) && host.read(path) === undefined) {
      problems.report(d.fileNotFound, imported.from.span, { path, reason: host.reason?.(path) });
      bindUnknown(scope, imported);
      return;
    }
    const target = load(path, freeLabel(labelOf(specifier, scope), path), false);
    for (const { name, alias, span } of imported.names) {
      if (name.text === "") continue;
      const local = alias ?? name;
      const symbol = target.names.get(name.text);
      if (symbol === undefined) {
        const near = nearest(name.text, publicNames(target));
        const fixes = near === undefined ? [] : [{ title: `import \`${near}\``, edits: [{ span: name.span, text: near }] }];
        problems.report(
          d.importedNameUnknown,
          name.span,
          { name: name.text, from: specifier, near, names: publicNames(target) },
          { fixes },
        );
        scope.failed.add(local.text);
        continue;
      }
      if (name.text.startsWith("_")) {
        problems.report(d.privateName, name.span, { name: name.text, from: specifier });
      }
      const other = scope.names.get(local.text);
      if (other !== undefined) {
        const at = scope.imports.get(local.text)?.span ?? other.decl.name.span;
        problems.report(
          d.duplicateName,
          local.span,
          { name: local.text, local: false },
          { related: [{ span: at, message: "first declared here" }] },
        );
        scope.twice.add(local.text);
        continue;
      }
      scope.names.set(local.text, symbol);
      scope.imports.set(local.text, { local, symbol, span });
    }
  }

  /** Two files may be reached by the same relative name from different folders: ids stay apart. */
  function freeLabel(label: string, path: string): string {
    const taken = (name: string) => [...scopes.values()].some((s) => s.label === name && s.module.file !== path);
    let name = label;
    for (let n = 2; taken(name); n++) name = `${label}~${n}`;
    return name;
  }

  function bindUnknown(scope: ModuleScope, imported: Import): void {
    for (const { name, alias } of imported.names) scope.failed.add((alias ?? name).text);
  }

  return { entry: entryScope, prelude, scopes: [...scopes.values()], files };
}

function publicNames(scope: ModuleScope): readonly string[] {
  return [...scope.names.values()].filter((s) => s.scope === scope && !s.name.startsWith("_")).map((s) => s.name);
}

/** `./tools/web.weave` becomes `tools/web`; a file imported by an imported file keeps the outer label as a prefix. */
function labelOf(specifier: string, from: ModuleScope): string {
  const own = specifier.replace(/^(\.\/)+/, "").replace(/\.weave$/, "");
  if (!specifier.startsWith(".")) return own;
  const folder = from.label.includes("/") ? from.label.slice(0, from.label.lastIndexOf("/") + 1) : "";
  return folder + own;
}
