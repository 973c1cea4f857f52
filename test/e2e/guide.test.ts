/**
 * The sessions in the documentation are real: the named files of a page are written to a folder in the order of the
 * page, its commands are carried out there, and what they print is what the page shows. Times
 * and names of runs differ and are not compared.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { project, root } from "../support/cli.js";
import { blocksOf, pages, textOf } from "../support/pages.js";

const WEAVE = `weave() { "${process.execPath}" "${join(root, "bin", "weave.js")}" "$@"; }`;

/** What a command prints, on both channels in their order. */
function printed(command: string, cwd: string): string {
  const { stdout } = spawnSync("sh", ["-c", `${WEAVE}\n{ ${command}\n} 2>&1`], {
    cwd,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", CI: "1" },
  });
  return stdout;
}

/** Without times and names of runs: they, and the spaces before them, differ. */
const comparable = (text: string): string => text.replace(/ *\b\d+(\.\d+)?(ms|s)\b/g, " …").replace(/\brm[a-z0-9]{11}\b/g, "…");

/** A page with the output of every command worked out anew; where only times and names of runs differ it stays as it is. */
function worked(text: string): string {
  const folder = project({});
  if (/^\$ .*\bexamples\//m.test(text)) cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  const lines = text.split("\n");
  let shift = 0;
  for (const block of blocksOf(text)) {
    if (block.name !== undefined) {
      mkdirSync(dirname(join(folder, block.name)), { recursive: true });
      writeFileSync(join(folder, block.name), block.text);
    }
    if (block.language !== "console") continue;
    const commands = block.text.split("\n").filter((line) => line.startsWith("$ "));
    const session = commands
      .map((line) => `${line}\n${printed(line.slice(2), folder)}`)
      .join("")
      .trimEnd();
    if (comparable(`${session}\n`) === comparable(block.text)) continue;
    const old = block.text.split("\n").length - 1;
    const now = session.split("\n");
    lines.splice(block.line - 1 + shift, old, ...now);
    shift += now.length - old;
  }
  return lines.join("\n");
}

const sessions = pages().filter((page) => blocksOf(textOf(page)).some(({ language }) => language === "console"));

test.each(sessions)(
  "%s",
  async (page) => {
    await expect(worked(textOf(page))).toMatchFileSnapshot(relative(import.meta.dirname, join(root, page)));
  },
  120_000,
);
