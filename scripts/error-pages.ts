/**
 * The pages of `docs/errors`, read: a page holds a failing program, the message it gets and the mended program. What a
 * program gets is computed here, for the script that writes the messages and for the test that holds them.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../src/compile.js";
import { type Problem, problems } from "../src/diagnostics/problems.js";
import { renderProblems } from "../src/diagnostics/render.js";
import { fileHost } from "../src/host/files.js";
import { checkInputs } from "../src/runtime/prepare.js";
import type { SourceFile } from "../src/source/source.js";

export const FOLDER = join(import.meta.dirname, "..", "docs", "errors");

export type Files = Readonly<Record<string, string>>;

export interface Page {
  readonly code: string;
  readonly title: string;
  /** Files by name, the program itself as `main.weave`; undefined where the mistake is not in a program. */
  readonly failing: Files | undefined;
  readonly mended: Files | undefined;
  /** The commands that get the message, for a shell in a folder with the files. */
  readonly commands: string | undefined;
  /** What a program that embeds this gives to the flow `main`. */
  readonly inputs: Readonly<Record<string, unknown>> | undefined;
  readonly message: string;
  readonly text: string;
}

/** Programs that are too large for a page, made as the page describes them. */
const MADE: Readonly<Record<string, () => string>> = {
  W0114: () => `flow main() -> int {\n  ${"(".repeat(200)}1${")".repeat(200)}\n}\n`,
  W0389: () =>
    `flow main(n: int) {\n  f1(n)\n}\n${chain(150, (i) => `flow f${i}(n: int) {\n  f${i + 1}(n)\n}\n`)}flow f151(n: int) {\n  n\n}\n`,
  W0704: () => `${chain(20_000, (i) => `type T${i} = T${i + 1}[]\n`)}type T20001 = int\nflow main(x: T1) -> int {\n  len(x)\n}\n`,
  W0387: () => `flow main(n: int) -> int {\n  ${Array.from({ length: 1100 }, () => "n").join(" + ")}\n}\n`,
};

function chain(length: number, link: (i: number) => string): string {
  return Array.from({ length }, (_, i) => link(i + 1)).join("");
}

/** All codes that have a page. */
export function pageCodes(): string[] {
  const names = readdirSync(FOLDER).filter((name) => /^W\d{4}\.md$/.test(name));
  return names.map((name) => name.slice(0, 5)).sort();
}

/** The page of a code. */
export function readPage(code: string): Page {
  const text = readFileSync(join(FOLDER, `${code}.md`), "utf8");
  const failing = section(text, "Failing program");
  const inputs = /```json\n([\s\S]*?)```/.exec(failing)?.[1];
  return {
    code,
    title: /^# W\d{4}: (.+)$/m.exec(text)?.[1] ?? "",
    failing: programOf(failing) ?? (MADE[code] === undefined ? undefined : { "main.weave": MADE[code]() }),
    mended: programOf(section(text, "Mended program")),
    commands: /```sh\n([\s\S]*?)```/.exec(failing)?.[1],
    inputs: inputs === undefined ? undefined : JSON.parse(inputs),
    message: /```\n([\s\S]*?)\n```/.exec(section(text, "Message"))?.[1] ?? "",
    text,
  };
}

/** A page with another message. */
export function withMessage(page: Page, message: string): string {
  const before = page.text.indexOf("## Message");
  const after = page.text.indexOf("\n## ", before + 1);
  const rest = after < 0 ? "" : page.text.slice(after);
  return `${page.text.slice(0, before)}## Message\n\n\`\`\`\n${message}\n\`\`\`\n${rest}`;
}

const FAMILIES: Readonly<Record<string, string>> = {
  W01: "Syntax",
  W02: "Names and files",
  W03: "Types, calls, patterns",
  W04: "Templates",
  W05: "Annotations, properties, bindings of tools",
  W06: "Effects, information flow, tests",
  W07: "The graph of a flow",
  W08: "Bounds and budgets",
  W09: "Before a run, and on the command line",
  W10: "Lints",
};

/** The list of all pages, by family. */
export function indexOf(pages: readonly Page[]): string {
  const families = Object.entries(FAMILIES).flatMap(([family, title]) => {
    const own = pages.filter((page) => page.code.startsWith(family));
    return own.length === 0 ? [] : [`## ${title}\n\n${own.map((page) => `- [${page.code}](${page.code}.md) ${page.title}\n`).join("")}`];
  });
  return `# Diagnostics\n\nEvery message of the compiler has a code. Its page shows a program that gets it, the message, and the mended program;\n\`weave explain W0310\` prints the page. A code never changes its meaning. \`npx tsx scripts/errors.ts\` writes the messages\nanew from the programs.\n\n${families.join("\n")}`;
}

/** Every problem of a program. */
export function compiled(files: Files): { readonly problems: readonly Problem[]; readonly files: ReadonlyMap<string, SourceFile> } {
  return compile("main.weave", fileHost(new Map(Object.entries(files))));
}

/** The text of the problems of a program that have a code, as a page shows it. */
export function messageOf(files: Files, code: string): string {
  const result = compiled(files);
  const found = result.problems.filter((problem) => problem.code === code);
  return renderProblems(found, result.files, { width: 100 }).trimEnd();
}

/** The text of what is wrong with the inputs of a page. */
export async function messageOfInputs(page: Page): Promise<string> {
  const { graph, files } = compile("main.weave", fileHost(new Map(Object.entries(page.failing ?? {}))));
  const flow = graph?.flows[graph.entries["main"] ?? ""];
  if (graph === undefined || flow === undefined) throw new Error(`${page.code}: the program has errors or no main`);
  const found = problems();
  await checkInputs(graph, flow, page.inputs ?? {}, found);
  return renderProblems(found.list(), files, { width: 100 }).trimEnd();
}

const ROOT = join(import.meta.dirname, "..");

/** The problem that the commands of a page print, run by the command line as it is bundled. */
export function messageOfCommands(page: Page): string {
  const folder = mkdtempSync(join(tmpdir(), "weave-page-"));
  try {
    for (const [name, text] of Object.entries(page.failing ?? {})) writeFileSync(join(folder, name), text);
    const weave = `weave() { "${process.execPath}" "${join(ROOT, "bin", "weave.js")}" "$@"; }\n`;
    const env = { PATH: process.env["PATH"] ?? "", HOME: folder, CI: "1" };
    const { stderr } = spawnSync("sh", ["-c", weave + (page.commands ?? "")], { cwd: folder, env, encoding: "utf8" });
    const real = stderr.replaceAll(folder, "");
    return new RegExp(`^(?:error|warning|note)\\[${page.code}\\][\\s\\S]*?(?=\n\n|\n*$(?![\\s\\S]))`, "m").exec(real)?.[0] ?? stderr;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function section(text: string, title: string): string {
  const start = text.indexOf(`\n## ${title}\n`);
  if (start < 0) return "";
  const end = text.indexOf("\n## ", start + 1);
  return text.slice(start, end < 0 ? undefined : end);
}

function programOf(text: string): Files | undefined {
  const files: Record<string, string> = {};
  for (const [, source = ""] of text.matchAll(/```weave\n([\s\S]*?)```/g)) {
    const name = /^\/\/ file: (\S+)\n/.exec(source);
    files[name?.[1] ?? "main.weave"] = name === null ? source : source.slice(name[0].length);
  }
  return Object.keys(files).length === 0 ? undefined : files;
}
