/**
 * One measurement of the compiler in a process of its own: `child CASE FILE` prints milliseconds and the peak of memory
 * as JSON.
 */
import { compile } from "../src/compile.js";
import { fileHost } from "../src/host/files.js";
import { bounds } from "../src/plan/bounds.js";

/** The best time of compiling a file so many times. */
async function compileMs(path: string, rounds: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const { ok, problems } = compile(path, fileHost());
    best = Math.min(best, performance.now() - start);
    if (!ok) throw new Error(`the generated program has errors: ${problems[0]?.title}`);
  }
  return best;
}

/** The bounds of every flow of a file, once. */
async function boundsMs(path: string): Promise<number> {
  const { graph, problems } = compile(path, fileHost());
  if (graph === undefined) throw new Error(`the generated program has errors: ${problems[0]?.title}`);
  // The compiler has found them already; a graph that it does not know begins anew.
  const anew = { ...graph };
  const start = performance.now();
  const found = bounds(anew);
  for (const flow of Object.values(anew.flows)) found.of(flow);
  return performance.now() - start;
}

const [name = "", file = ""] = process.argv.slice(2);
const measured =
  name === "compile" ? compileMs(file, 15) : name === "compile once" ? compileMs(file, 1) : name === "bounds" ? boundsMs(file) : undefined;
if (measured === undefined) throw new Error(`no case ${name}`);
const ms = await measured;
console.log(JSON.stringify({ ms, mb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
