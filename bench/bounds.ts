/** Bounds: how long they take for a large program, and how far they are from the worst that was seen. */
import { compile } from "../src/compile.js";
import { fileHost } from "../src/host/files.js";
import { valueAt } from "../src/plan/bound-algebra.js";
import { bounds } from "../src/plan/bounds.js";
import { adversarialRun } from "../test/support/adversarial-run.js";
import { runnableProgram } from "../test/support/runnable-programs.js";
import { generatedProgram } from "./generate.js";
import { type Effort, type Figure, measured } from "./measure.js";

/** The bound's cost divided by the most expensive of several runs at their worst, for programs that run to their end. */
async function tightness(programs: number, tries: number): Promise<readonly number[]> {
  const ratios: number[] = [];
  for (let seed = 1; ratios.length < programs; seed++) {
    const { source, inputs } = runnableProgram(seed, 4);
    const { graph } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    const flow = graph?.flows[graph.entries["main"] ?? ""];
    if (graph === undefined || flow === undefined) continue;
    const { most } = bounds(graph, inputs).of(flow).bound;
    if (valueAt(most.requests, () => 10) > 500) continue;
    let tightest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < tries; at++) {
      const { result, used, at: sized } = await adversarialRun(graph, inputs, { seed: at, failing: at % 2 === 0 ? 0 : 0.3, wrong: 0.97 });
      if (result.status === "completed" && used.cost > 0) tightest = Math.min(tightest, sized(most.cost) / used.cost);
    }
    if (Number.isFinite(tightest)) ratios.push(tightest);
  }
  return ratios.sort((a, b) => a - b);
}

/** Figures of bounds; `write` makes a file and gives its path, `child` is the program that measures in process. */
export async function boundFigures({ smoke }: Effort, child: string, write: (name: string, text: string) => string): Promise<Figure[]> {
  const text = generatedProgram(smoke ? 50 : 1000);
  const lines = text.split("\n").length.toLocaleString("en-US");
  const { ms } = measured([child, "bounds", write("bounded.weave", text)]);
  const ratios = await tightness(smoke ? 5 : 60, smoke ? 4 : 30);
  const at = (share: number): number => ratios[Math.floor(share * (ratios.length - 1))] ?? Number.NaN;
  const against = `${ratios.length} random programs, models and tools at their worst`;
  return [
    { name: `bounds of ${lines} lines, the first time`, value: ms, unit: "ms", limit: 150 },
    { name: "bound divided by the worst observed, best", value: at(0), unit: "x", limit: undefined, against },
    { name: "bound divided by the worst observed, median", value: at(0.5), unit: "x", limit: undefined, against },
  ];
}
