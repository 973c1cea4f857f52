/**
 * The invariants of ARCHITECTURE.md, read off the imports of the sources: each folder imports only from those before
 * it, each package has one door, Node is reached only from the host and the shells, nothing imports in a circle, and
 * files stay small.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

/** Each folder sees itself and those before it; the files of `src` itself are after all but the shells. */
const ORDER = ["source", "diagnostics", "syntax", "format", "semantics", "plan", "runtime", "host", "", "cli"];

/** Who may import a package. */
const DOORS: Readonly<Record<string, RegExp>> = {
  chevrotain: /^syntax\/tokens\.ts$/,
  handlebars: /^syntax\/template\.ts$/,
  "@dagrejs/graphlib": /^plan\/graph\.ts$/,
  "p-limit": /^runtime\/gate\.ts$/,
  zod: /^(runtime|host|cli)\//,
  commander: /^cli\//,
  "@clack/prompts": /^cli\//,
  "csv-parse": /^cli\/dataset\.ts$/,
  yaml: /^host\/recording\/format\.ts$/,
  diff: /^host\/recording\/difference\.ts$/,
  tsx: /^host\/tools\//,
  "@modelcontextprotocol/sdk": /^host\/mcp\//,
  "@ai-sdk/provider": /^host\/providers\//,
  "@ai-sdk/anthropic": /^host\/providers\//,
  "@ai-sdk/google": /^host\/providers\//,
  "@ai-sdk/openai": /^host\/providers\//,
  "@ai-sdk/openai-compatible": /^host\/providers\//,
};

/** Files that may be longer than 450 lines, with the reason; none longer than 900. */
const LONG: Readonly<Record<string, string>> = {
  "syntax/parser.ts": "the grammar is read best in few places",
  "syntax/expression-rules.ts": "the rules of expressions call each other",
  "syntax/recovery.ts": "what survives mistakes works together",
  "format/expressions.ts": "one function for each form of expression",
  "syntax/ast.ts": "every node of the tree, side by side",
  "plan/ir.ts": "every node of the graph, side by side",
  "diagnostics/catalogue/w03-types.ts": "every message about types, in the order of their codes",
  "semantics/templates.ts": "every form of a tag is typed against the same scope",
  "semantics/check.ts": "one function for each form of expression and statement, which call each other",
  "plan/lower.ts": "specialising, naming and lowering of callables share one state",
};

const root = join(import.meta.dirname, "..", "src");
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .sort();

interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether only types are taken, which leaves nothing at run time. */
  readonly typeOnly: boolean;
  /** Loaded when it is called. */
  readonly lazy: boolean;
}

function importsOf(path: string): Import[] {
  const text = readFileSync(join(root, path), "utf8");
  const found: Import[] = [];
  for (const [, type, to = ""] of text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{}\s,]+?\s+from\s+)?"([^"]+)"/gm)) {
    found.push({ from: path, to, typeOnly: type !== undefined, lazy: false });
  }
  for (const [whole, to = ""] of text.matchAll(/(?:typeof )?import\("([^"]+)"\)/g)) {
    found.push({ from: path, to, typeOnly: whole.startsWith("typeof"), lazy: true });
  }
  return found;
}

const imports = files.flatMap(importsOf);
const targetOf = ({ from, to }: Import): string | undefined =>
  to.startsWith(".")
    ? normalize(join(dirname(from), to))
        .replaceAll("\\", "/")
        .replace(/\.js$/, ".ts")
    : undefined;
const folderOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : "");
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

describe("the sources", () => {
  test("import only from folders before them", () => {
    const wrong = imports.filter((each) => {
      const target = targetOf(each);
      // The host of the compiler is described where the compiler is.
      if (target === undefined || (each.typeOnly && folderOf(target) === "")) return false;
      return ORDER.indexOf(folderOf(target)) > ORDER.indexOf(folderOf(each.from)) || !ORDER.includes(folderOf(each.from));
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("never import in a circle", () => {
    const next = new Map(files.map((path) => [path, [] as string[]]));
    for (const each of imports) {
      const target = targetOf(each);
      if (target !== undefined && !each.typeOnly && !each.lazy) next.get(each.from)?.push(target);
    }
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      if (done.has(path) || trail.includes(path)) return;
      for (const to of next.get(path) ?? []) visit(to, [...trail, path]);
      done.add(path);
    };
    for (const path of files) visit(path, []);
    expect(circles).toEqual([]);
  });

  test("reach Node only from the host and the shells", () => {
    const wrong = imports.filter(({ from, to }) => to.startsWith("node:") && !["host", "cli"].includes(folderOf(from)));
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("take each package through its one door", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (to.startsWith(".") || to.startsWith("node:")) return false;
      return DOORS[packageOf(to)]?.test(from) !== true;
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("stay under 450 lines, but for those with a reason", () => {
    const lines = (path: string): number => readFileSync(join(root, path), "utf8").split("\n").length;
    expect(files.filter((path) => lines(path) > (path in LONG ? 900 : 450)).map((path) => `${path}: ${lines(path)}`)).toEqual([]);
    expect(Object.keys(LONG).filter((path) => !files.includes(path))).toEqual([]);
  });

  test("open by saying what they guarantee", () => {
    expect(files.filter((path) => !readFileSync(join(root, path), "utf8").startsWith("/**"))).toEqual([]);
  });

  test("have no default exports, no `any` and no class but the parser's and errors", () => {
    const wrong = files.flatMap((path) => {
      const code = readFileSync(join(root, path), "utf8")
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\/\/.*$/gm, "");
      const found: string[] = [];
      if (/^export default/m.test(code)) found.push(`${path}: export default`);
      if (/(:|<|\bas)\s*any\b(?!\()/.test(code.replace(/"[^"\n]*"|'[^'\n]*'|`[^`]*`/g, '""'))) found.push(`${path}: any`);
      for (const [, name = "", base = ""] of code.matchAll(/^(?:export )?(?:abstract )?class (\w+)(?: extends (\w+))?/gm)) {
        if (!/^syntax\/(engine|parser|recovery|type-rules|expression-rules)\.ts$/.test(path) && !/Error$/.test(base))
          found.push(`${path}: class ${name}`);
      }
      return found;
    });
    expect(wrong).toEqual([]);
  });

  test("are named in kebab-case, and not after nothing in particular", () => {
    expect(files.filter((path) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path) || /manager|helper|util/.test(path))).toEqual([]);
  });
});
