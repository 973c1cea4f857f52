/**
 * `weave init`: a small project that works at once, without a key: a flow, a tool in TypeScript, a test, and what an
 * editor needs to know. It is the example `starter`, so it is checked and run like every other. A file that exists is
 * never overwritten.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { packageRoot } from "../host/files.js";
import { EXIT, type ExitCode, green, type Terminal } from "./terminal.js";

/** Makes the project. */
export async function init(dir: string, to: Terminal): Promise<ExitCode> {
  const starter = join(packageRoot(), "examples", "starter");
  const files = readdirSync(starter, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(starter, join(entry.parentPath, entry.name)))
    .sort();
  const main = join(dir, "main.weave");
  if (existsSync(main)) {
    to.err(`error: ${main} exists already; nothing was written\n`);
    return EXIT.failed;
  }
  for (const path of files) {
    // Names that begin with a dot, and a second package.json, would not survive packing: they wait under another name.
    const target = join(dir, path.replace(/^_package/, "package").replace(/^_/, "."));
    if (existsSync(target)) {
      to.err(`  ${target} exists and was kept\n`);
      continue;
    }
    const text = readFileSync(join(starter, path), "utf8");
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, path === "_package.json" ? text.replace("my-project", projectName(dir)) : text);
    to.err(`${green("+", to.color)} ${target}\n`);
  }
  const enter = dir === "." ? "" : `cd ${/^[\w./-]+$/.test(dir) ? dir : `'${dir.replace(/'/g, "'\\''")}'`}\n  `;
  to.err(`\nNow try:\n  ${enter}weave check\n  weave run main.weave --sim\n  weave graph main.weave --format svg --out main.svg\n`);
  return EXIT.done;
}

function projectName(dir: string): string {
  const name = basename(resolve(dir))
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? "my-project" : name;
}
