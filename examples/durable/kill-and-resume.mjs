/**
 * Kills a run with SIGKILL when it is half done, resumes it, and counts: which calls were finished when the process died,
 * and which of them were made again. Run it with `node examples/durable/kill-and-resume.mjs [parts]`.
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const weave = join(here, "..", "..", "bin", "weave.js");
const parts = Number(process.argv[2] ?? 24);
const folder = mkdtempSync(join(tmpdir(), "weave-survey-"));
for (const file of ["survey.weave", "tools.ts"]) copyFileSync(join(here, file), join(folder, file));

const calls = () => (existsSync(join(folder, "calls.log")) ? readFileSync(join(folder, "calls.log"), "utf8").trim().split("\n") : []);

/** Starts the command line; the result is what it printed. */
function start(...args) {
  console.log(`$ weave ${args.join(" ")}`);
  const child = spawn(process.execPath, [weave, ...args], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  return { child, ended: new Promise((resolve) => child.on("close", () => resolve(out))) };
}

const first = start("run", "survey.weave", "--parts", String(parts));
const watch = setInterval(() => {
  if (calls().length < parts / 2) return;
  clearInterval(watch);
  first.child.kill("SIGKILL");
}, 5);
await first.ended;
clearInterval(watch);
const before = calls();
console.log(`\nKilled with SIGKILL after ${before.length} tool calls of ${parts + 1}.\n`);

const journal = (await start("show", "--events").ended).trim().split("\n").map((line) => JSON.parse(line));
const finished = new Set(journal.filter((event) => event.kind === "call.completed").map((event) => event.path));
const result = JSON.parse(await start("resume", "--json").ended);
const after = calls().slice(before.length);
const repeated = after.filter((call) => finished.has(call));
const expected = parts + 1;
const distinct = new Set(calls()).size;
console.log(`
${result.value}
${before.length} tool calls before the kill and ${after.length} after it, for ${expected} that are needed;
${before.length + after.length - distinct} were in flight when the process died and were made again.
${repeated.length} repeated calls, ${expected - distinct} lost results, $${result.spend.cost_usd.toFixed(5)} spent`);
rmSync(folder, { recursive: true, force: true });
process.exitCode = repeated.length === 0 && distinct === expected && result.status === "completed" ? 0 : 1;
