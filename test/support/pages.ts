/**
 * The pages of the documentation, read: which fenced blocks they hold and what each of them promises.
 *
 * - ```` ```weave ```` is a complete program; with a name (```` ```weave agents.weave ````) later blocks of the page can import it.
 * - ```` ```weave-fragment ```` is a piece of one: declarations, statements or an expression.
 * - ```` ```weave-broken ```` is a program with a mistake; the block after it is what the compiler says.
 * - ```` ```weave-failing ```` is a program whose tests fail.
 * - ```` ```console ```` is a session: lines after `$ ` are commands, the rest is what they print.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { format } from "../../src/format/format.js";
import { fileHost } from "../../src/host/files.js";
import { root } from "./cli.js";

export interface Block {
  /** The first word after the fence. */
  readonly language: string;
  /** The name of the file, where it is written. */
  readonly name: string | undefined;
  readonly text: string;
  /** Line of its first line, from 1. */
  readonly line: number;
}

/** README.md and every page below docs, except the pages of the diagnostics, which have a test of their own. */
export function pages(): readonly string[] {
  const below = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => join("docs", path))
    .filter((path) => path.endsWith(".md") && !path.startsWith(join("docs", "errors")));
  return ["README.md", ...below.sort()];
}

export function textOf(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

const FENCE = /^(`{3,})([\w-]*)(?: (\S+))?\n([\s\S]*?)^\1$/gm;

export function blocksOf(text: string): readonly Block[] {
  return [...text.matchAll(FENCE)].map(({ index, 2: language = "", 3: name, 4: body = "" }) => ({
    language,
    name,
    text: body,
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

/** The program of a block with the named programs above it, as the compiler reads them. */
export function compiled(blocks: readonly Block[], block: Block): ReturnType<typeof compile> {
  const overlay = new Map<string, string>();
  for (const other of blocks) {
    if (other.language === "weave" && other.name !== undefined && other.line < block.line) overlay.set(other.name, other.text);
  }
  overlay.set(pathOf(block), block.text);
  return compile(pathOf(block), fileHost(overlay));
}

const pathOf = (block: Block): string => block.name ?? "main.weave";

/** A page with every program laid out and every message of the compiler worked out anew. */
export function worked(text: string): string {
  const blocks = blocksOf(text);
  const lines = text.split("\n");
  // From the end, so that line numbers above stay right.
  for (const [i, block] of [...blocks.entries()].reverse()) {
    const now = block.language === "weave" ? formatted(blocks, block) : messageFor(blocks, blocks[i - 1]);
    if (now === undefined) continue;
    lines.splice(block.line - 1, block.text.split("\n").length - 1, ...now.trimEnd().split("\n"));
  }
  return lines.join("\n");
}

/** A program as `weave fmt` lays it out; one with mistakes stays as it is. */
function formatted(blocks: readonly Block[], block: Block): string {
  const { ok, modules, files } = compiled(blocks, block);
  const [module, file] = [modules.get(pathOf(block)), files.get(pathOf(block))];
  return ok && module !== undefined && file !== undefined ? format(module, file) : block.text;
}

function messageFor(blocks: readonly Block[], broken: Block | undefined): string | undefined {
  if (broken?.language !== "weave-broken") return undefined;
  const { problems, files } = compiled(blocks, broken);
  return renderProblems(problems, files, { width: 100 });
}
