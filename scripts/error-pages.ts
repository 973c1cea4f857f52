/**
 * The pages of `docs/errors`, read: a page holds a failing program, the message it gets and the mended program. What a
 * program gets is computed here, for the script that writes the messages and for the test that holds them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../src/compile.js";
import type { Problem } from "../src/diagnostics/problems.js";
import { renderProblems } from "../src/diagnostics/render.js";
import { fileHost } from "../src/host/files.js";
import type { SourceFile } from "../src/source/source.js";

export const FOLDER = join(import.meta.dirname, "..", "docs", "errors");

export type Files = Readonly<Record<string, string>>;

export interface Page {
  readonly code: string;
  readonly title: string;
  /** Files by name, the program itself as `main.weave`; undefined where the mistake is not in a program. */
  readonly failing: Files | undefined;
  readonly mended: Files | undefined;
  readonly message: string;
  readonly text: string;
}

/** Programs that are too large for a page, made as the page describes them. */
const MADE: Readonly<Record<string, () => string>> = {
  W0114: () => `flow main() -> int {\n  ${"(".repeat(200)}1${")".repeat(200)}\n}\n`,
  W0387: () => `flow main(n: int) -> int {\n  ${Array.from({ length: 1100 }, () => "n").join(" + ")}\n}\n`,
};

/** All codes that have a page. */
export function pageCodes(): string[] {
  const names = readdirSync(FOLDER).filter((name) => /^W\d{4}\.md$/.test(name));
  return names.map((name) => name.slice(0, 5)).sort();
}

/** The page of a code. */
export function readPage(code: string): Page {
  const text = readFileSync(join(FOLDER, `${code}.md`), "utf8");
  return {
    code,
    title: /^# W\d{4}: (.+)$/m.exec(text)?.[1] ?? "",
    failing: programOf(section(text, "Failing program")) ?? (MADE[code] === undefined ? undefined : { "main.weave": MADE[code]() }),
    mended: programOf(section(text, "Mended program")),
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
