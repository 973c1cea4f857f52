/**
 * What the project does, in a minute, on real input and without a key: builds the command line, checks two programs,
 * shows how one will run, reviews this repository's own sources with simulated agents, and lets sort implementations
 * compete with a tool that really runs them.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleIfStale } from "./build.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const color = process.stdout.isTTY && !process.env["NO_COLOR"];
const bold = (text: string): string => (color ? `\u001b[1m${text}\u001b[0m` : text);
const dim = (text: string): string => (color ? `\u001b[2m${text}\u001b[0m` : text);

let failed = false;

function weave(...args: readonly string[]): void {
  console.log(dim(`$ weave ${args.join(" ")}`));
  const { status } = spawnSync(process.execPath, [join(root, "bin", "weave.js"), ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) failed = true;
  console.log();
}

function step(title: string, text: string): void {
  console.log(`${bold(title)}\n${text}`);
}

await bundleIfStale();
mkdirSync(join(root, ".weave"), { recursive: true });
const review = "examples/programs/code_review.weave";
const tournament = "examples/programs/quicksort_tournament.weave";
const sorts = readdirSync(join(root, "examples", "sorts")).length;

step("1. Two programs are checked", "Names, types, prompts, wiring, effects: everything before anything runs.");
weave("check", review, tournament);

step("2. How the first will run", "What has no arrow between it runs at the same time. The picture is .weave/code_review.svg.");
weave("plan", review);
weave("graph", review, "--format", "svg", "--out", ".weave/code_review.svg");

step(
  "3. A review of this repository's own sources",
  "Every file is read for real. The answers of the agents are SIMULATED (--sim): made up from their types.",
);
weave("run", review, "--dir", "src", "--sim");

step(
  `4. A tournament of ${sorts} sort implementations`,
  "No agent and no simulation: the tool runs each one on random numbers, the fastest correct one wins.",
);
weave("run", tournament, "--dir", "examples/sorts", "--size", "10000");

process.exitCode = failed ? 1 : 0;
