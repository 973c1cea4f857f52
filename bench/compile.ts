/** The compiler on a generated program of 1,000 types, agents and flows. */
import { compile } from "../src/compile.js";
import { fileHost } from "../src/host/files.js";
import { generatedProgram } from "./generate.js";
import { type Figure, medians, processMs } from "./measure.js";
import { weave } from "./start.js";

/** Figures of compiling; `write` makes a file and gives its path. */
export function compileFigures(smoke: boolean, write: (name: string, text: string) => string): Figure[] {
  const text = generatedProgram(smoke ? 50 : 1000);
  const lines = text.split("\n").length;
  const path = write("large.weave", text);
  const whole = medians({ check: () => processMs(process.execPath, [weave, "check", path]) }, smoke ? 1 : 7).check;

  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < (smoke ? 2 : 12); round++) {
    const start = performance.now();
    const { ok, problems } = compile(path, fileHost());
    best = Math.min(best, performance.now() - start);
    if (!ok) throw new Error(`the generated program has errors: ${problems[0]?.title}`);
  }
  return [
    { name: `weave check of ${lines.toLocaleString("en-US")} lines, a whole process`, value: whole, unit: "ms", limit: undefined },
    { name: "text to graph, warm", value: (lines / best) * 1000, unit: "lines/s", limit: 200_000, atLeast: true },
    { name: "memory of this process after it", value: process.memoryUsage().rss / 2 ** 20, unit: "MB", limit: 300 },
  ];
}
