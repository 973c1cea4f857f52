/**
 * The documentation is held to the code: every program in it compiles, is laid out as `weave fmt` lays it out, and its
 * tests pass; every message is the compiler's; every annotation, built-in function, property, standard module, command
 * and option is described, and nothing is described that is not there.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { problems as collect } from "../src/diagnostics/problems.js";
import { renderProblems } from "../src/diagnostics/render.js";
import { virtualClock } from "../src/host/clock.js";
import { models } from "../src/host/providers/models.js";
import { toolHost } from "../src/host/tools/host.js";
import { runTest } from "../src/runtime/testing.js";
import { annotationTable } from "../src/semantics/annotation-table.js";
import { builtins, FAILURE_KINDS } from "../src/semantics/builtins.js";
import { agentProperties, bindings, mcpProperties, modelProperties, stateProperties } from "../src/semantics/property-table.js";
import { templateHelpers } from "../src/semantics/templates.js";
import { sourceFile } from "../src/source/source.js";
import { parse } from "../src/syntax/parser.js";
import { root } from "./support/cli.js";
import { crashPrograms } from "./support/crash-programs.js";
import { type Block, blocksOf, compiled, pages, textOf, worked } from "./support/pages.js";

const environment = (): undefined => undefined;

/** A test as `weave test` runs it: offline, in virtual time. */
async function failuresOf(blocks: readonly Block[], block: Block): Promise<readonly string[]> {
  const { graph } = compiled(blocks, block);
  if (graph === undefined) return ["does not compile"];
  const failed: string[] = [];
  for (const each of graph.tests) {
    const result = await runTest(graph, each, {
      clock: virtualClock(),
      tools: toolHost({ directory: root, allowed: [], isolation: "temporary" }),
      models: models({ simulateAll: false, environment }),
      environment,
    });
    failed.push(...result.unmet.map(({ text, message }) => `${each.title}: ${text} ${message}`));
    failed.push(...result.problems.map(({ code, title }) => `${each.title}: ${code} ${title}`));
  }
  return failed;
}

function syntaxErrors(text: string): readonly string[] {
  const problems = collect();
  parse(sourceFile("fragment.weave", text), problems);
  return problems.list().map(({ code, title }) => `${code} ${title}`);
}

describe.each(pages())("%s", (page) => {
  const text = textOf(page);
  const blocks = blocksOf(text);

  const programs = blocks.filter(({ language }) => language === "weave");
  test.each(programs.map((block) => ({ at: `${page}:${block.line}`, block })))("program at $at", async ({ block }) => {
    const { problems, files } = compiled(blocks, block);
    const wrong = problems.filter(({ severity }) => severity !== "note");
    expect(renderProblems(wrong, files)).toBe("");
    expect(await failuresOf(blocks, block)).toEqual([]);
  });

  const failing = blocks.filter(({ language }) => language === "weave-failing");
  test.each(failing.map((block) => ({ at: `${page}:${block.line}`, block })))("failing tests at $at", async ({ block }) => {
    expect(compiled(blocks, block).ok).toBe(true);
    expect(await failuresOf(blocks, block)).not.toEqual([]);
  });

  const fragments = blocks.filter(({ language }) => language === "weave-fragment");
  test.each(fragments.map((block) => ({ at: `${page}:${block.line}`, block })))("fragment at $at", ({ block }) => {
    const alone = syntaxErrors(block.text);
    const inFlow = syntaxErrors(`flow fragment() {\n${block.text}\n}\n`);
    const inTest = syntaxErrors(`test "fragment" {\n${block.text}\n}\n`);
    const inLoop = syntaxErrors(`flow fragment() {\nloop x = 1 up to 2 {\n${block.text}\n}\n}\n`);
    expect([alone, inFlow, inTest, inLoop].some((found) => found.length === 0) ? [] : inFlow).toEqual([]);
  });

  test("layout and messages", async () => {
    await expect(worked(text)).toMatchFileSnapshot(relative(import.meta.dirname, join(root, page)));
  });

  test("every block says what it is", () => {
    const known = [
      "weave",
      "yaml",
      "weave-fragment",
      "weave-broken",
      "weave-failing",
      "console",
      "ts",
      "sh",
      "json",
      "text",
      "mermaid",
      "",
    ];
    expect(blocks.filter(({ language }) => !known.includes(language)).map(({ line }) => line)).toEqual([]);
  });
});

/** What stands in code at the beginning of the first cell of each row of the tables of a section. */
function rowsOf(page: string, heading?: string): readonly string[] {
  const text = textOf(page);
  const start = heading === undefined ? 0 : text.indexOf(`\n## ${heading}\n`);
  if (start < 0) throw new Error(`${page} has no section ${heading}`);
  const end = heading === undefined ? text.length : text.indexOf("\n## ", start + 1);
  const section = text.slice(start, end < 0 ? undefined : end);
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, cell = ""]) => cell);
}

const namesOf = (cells: readonly string[], pattern: RegExp): readonly string[] => [
  ...new Set(cells.map((cell) => pattern.exec(cell)?.[1] ?? `? ${cell}`)),
];
const sorted = (names: Iterable<string>): readonly string[] => [...names].sort();

describe("tables", () => {
  test("annotations: each has its row, written as the compiler writes it", () => {
    const rows = rowsOf("docs/language/annotations.md");
    expect(sorted(namesOf(rows, /^@(\w+)/))).toEqual(sorted(annotationTable.keys()));
    expect(sorted(rows)).toEqual(sorted([...annotationTable.values()].map(({ form }) => form)));
  });

  test("annotations: where they stand", () => {
    const text = textOf("docs/language/annotations.md");
    for (const { form, place } of annotationTable.values()) expect(text).toContain(`| \`${form}\` | ${place} |`);
  });

  test("built-in functions: every name and every parameter", () => {
    const rows = rowsOf("docs/language/functions.md", "All functions");
    expect(sorted(namesOf(rows, /^(\w+)\(/))).toEqual(sorted([...builtins.keys(), "env", "secret"]));
    for (const [name, forms] of builtins) {
      const written = rows.filter((row) => row.startsWith(`${name}(`)).join(" ");
      for (const { params } of forms) for (const param of params) expect(`${name}: ${written}`).toContain(param.name);
    }
  });

  test("helpers of templates, values of tests", () => {
    expect(sorted(namesOf(rowsOf("docs/language/templates.md", "Helpers of templates"), /^(\w+)/))).toEqual(sorted(templateHelpers));
    for (const name of ["spend", "elapsed", "calls(F)"]) expect(textOf("docs/testing.md")).toContain(`\`${name}\``);
  });

  test("failure kinds", () => {
    expect(sorted(rowsOf("docs/failures.md", "Kinds"))).toEqual(sorted(FAILURE_KINDS));
  });

  test("properties of declarations and bindings of tools", () => {
    const tables = {
      "Properties of an agent": agentProperties,
      "Properties of a model": modelProperties,
      "Properties of an MCP server": mcpProperties,
      "Properties of a state": stateProperties,
    };
    for (const [heading, table] of Object.entries(tables)) {
      expect(sorted(rowsOf("docs/language/declarations.md", heading))).toEqual(sorted([...table.values()].map(({ form }) => form)));
    }
    expect(sorted(rowsOf("docs/language/declarations.md", "Bindings of a tool"))).toEqual(
      sorted(Object.values(bindings).map(({ form }) => form)),
    );
  });

  test("standard modules: every declaration with its signature, nothing else", () => {
    const stdlib = join(root, "stdlib");
    const files = readdirSync(stdlib, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".weave"));
    const text = textOf("docs/language/modules.md");
    const declared: string[] = [];
    for (const file of files.filter((path) => path !== "prelude.weave")) {
      const module = `std/${file.replace(/\.weave$/, "").replaceAll("\\", "/")}`;
      expect(text).toContain(`## \`${module}\``);
      const source = readFileSync(join(stdlib, file), "utf8");
      for (const [, name = ""] of source.matchAll(/^(?:effect )?(?:tool|model|flow|type|agent|compose) (\w+)/gm)) {
        if (!name.startsWith("_")) declared.push(`${module} ${name}`);
      }
      for (const [, signature = ""] of source.matchAll(/^(?:effect )?tool (.+) = module\(/gm))
        expect(text).toContain(`| \`${signature}\` |`);
      for (const [, name = ""] of source.matchAll(/^ {2}name: "(.+)"$/gm)) expect(text).toContain(`\`${name}\``);
    }
    const described = text.split(/^## /m).flatMap((section) => {
      const [, module = ""] = /^`(std\/[^`]+)`/.exec(section) ?? [];
      return module === "" ? [] : [...section.matchAll(/^\| `(?:type )?(\w+)/gm)].map(([, name = ""]) => `${module} ${name}`);
    });
    expect(sorted(described)).toEqual(sorted(declared));
  });

  test("types of the prelude", () => {
    const prelude = readFileSync(join(root, "stdlib", "prelude.weave"), "utf8");
    const types = [...prelude.matchAll(/^type (\w+)/gm)].map(([, name = ""]) => name);
    const text = textOf("docs/language/types.md");
    for (const name of types) expect(text).toContain(`\`${name}`);
  });

  test("commands: every one and every option of it, and none besides", () => {
    const source = readFileSync(join(root, "src", "cli", "commands.ts"), "utf8");
    const parts = source
      .slice(source.indexOf("export async function execute"), source.indexOf("for (const command of program.commands)"))
      .split(/\n(?= {2}(?:const \w+ = )?(?:with\w+\(\s*)*program\s*\.command\(")/);
    const flagsOf = (text: string): readonly string[] =>
      [...text.matchAll(/(?:\.option|new Option)\(\s*"((?:-\w, )?--[\w-]+)/g)].map(([, flag = ""]) => flag);
    /** The options that a function of the file adds to several commands. */
    const added = (name: string): readonly string[] => flagsOf(new RegExp(`function ${name}\\([\\s\\S]*?\\n}`).exec(source)?.[0] ?? "");
    const commands = parts.flatMap((part) => {
      const [, around = "", name] = /^\s*(?:const \w+ = )?((?:with\w+\(\s*)*)program\s*\.command\("(\w+)/.exec(part) ?? [];
      if (name === undefined) return [];
      return [{ name, flags: [...flagsOf(part), ...[...around.matchAll(/with\w+/g)].flatMap(([helper]) => added(helper))] }];
    });
    expect(sorted([...textOf("docs/cli.md").matchAll(/^## weave (\w+)/gm)].map(([, name = ""]) => name))).toEqual(
      sorted(commands.map(({ name }) => name)),
    );
    for (const { name, flags } of commands) {
      expect([name, ...sorted(rowsOf("docs/cli.md", `weave ${name}`))]).toEqual([name, ...sorted(flags)]);
    }
  });

  test("what a run refuses", () => {
    const source = readFileSync(join(root, "src", "runtime", "unsupported.ts"), "utf8");
    const [nodes = ""] = /const nodes[\s\S]*?};/.exec(source) ?? [];
    const refused = [...nodes.matchAll(/: "([^"]+)"/g), ...source.matchAll(/report\("([^"]+)", [\w.]*span\)/g)].map(
      ([, name = ""]) => name,
    );
    const [, list = ""] = textOf("docs/language/README.md").split("## What a run refuses");
    expect(sorted([...list.matchAll(/^- (.+)$/gm)].map(([, name = ""]) => name))).toEqual(sorted(refused));
  });

  test("the 35 faults name tests that are there", () => {
    const rows = [...textOf("docs/reliability.md").matchAll(/^\| (\d+) \|.*\|([^|]*)\|$/gm)];
    expect(rows.map(([, n]) => Number(n))).toEqual(Array.from({ length: 35 }, (_, i) => i + 1));
    for (const [, n, tested = ""] of rows) {
      let source = "";
      for (const [, file, name] of tested.matchAll(/`([^`]+)`|"([^"]+)"/g)) {
        if (file?.startsWith("test/")) source = readFileSync(join(root, file), "utf8");
        else if (name !== undefined) expect([n, name, source.includes(name) || crashPrograms.has(name)]).toEqual([n, name, true]);
      }
    }
  });

  test("the glossary leads to files that are there", () => {
    expect(rowsOf("docs/glossary.md").length).toBeGreaterThan(30);
  });
});
