/**
 * Bounds: how long they take for a large program, and how far they are from the worst that was seen. Budgets: how far a
 * fan-out goes beyond its own, and beyond a counter that is looked at before each call and added to after it.
 */
import pLimit from "p-limit";
import { compile } from "../src/compile.js";
import { fileHost } from "../src/host/files.js";
import { valueAt } from "../src/plan/bound-algebra.js";
import { bounds } from "../src/plan/bounds.js";
import { adversarialRun } from "../test/support/adversarial-run.js";
import { runnableProgram } from "../test/support/runnable-programs.js";
import { generatedProgram } from "./generate.js";
import { type Effort, type Figure, measured, shown } from "./measure.js";

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

const WORST = 0.005_316;
const CAP = 1;
const AT_ONCE = 100;

/** What a fan-out of agents spends that may use five times its budget, in dollars; every call uses all that it may. */
async function fanOut(calls: number): Promise<{ readonly weave: number; readonly counter: number }> {
  const source = `model m { provider: "sim", price: { input: $1.00, output: $5.00 }, max_output: 1k }
agent A(n: int(0..99_999)) -> string(..20) { model: m, repairs: 0, prompt: "Write about number {{n}}, please, at full length." }
@budget($${CAP}.00) flow main(x: string, ys: string[]) -> int { len((@parallel(${AT_ONCE}) settle map n in range(${calls}) { A(n) }).ok) }
`;
  const { graph } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
  if (graph === undefined) throw new Error("the program of the fan-out does not compile");
  const { used } = await adversarialRun(graph, { x: "", ys: [] }, { seed: 1, failing: 0, wrong: 0 });
  let counter = 0;
  const limit = pLimit(AT_ONCE);
  const one = async (): Promise<void> => {
    if (counter >= CAP) return;
    await new Promise((resolve) => setImmediate(resolve));
    counter += WORST;
  };
  await Promise.all(Array.from({ length: calls }, () => limit(one)));
  return { weave: used.cost / 1e9, counter };
}

/** Figures of bounds; `write` makes a file and gives its path, `child` is the program that measures in process. */
export async function boundFigures({ smoke }: Effort, child: string, write: (name: string, text: string) => string): Promise<Figure[]> {
  const text = generatedProgram(smoke ? 50 : 1000);
  const lines = text.split("\n").length.toLocaleString("en-US");
  const { ms } = measured([child, "bounds", write("bounded.weave", text)]);
  const ratios = await tightness(smoke ? 5 : 60, smoke ? 4 : 30);
  const at = (share: number): number => ratios[Math.floor(share * (ratios.length - 1))] ?? Number.NaN;
  const against = `${ratios.length} random programs, models and tools at their worst`;
  const calls = smoke ? 300 : 1000;
  const spent = await fanOut(calls);
  const beyond = (cost: number): number => Math.max(0, (cost / CAP - 1) * 100);
  return [
    {
      name: `budget of $${CAP} exceeded, fan-out of ${calls.toLocaleString("en-US")} at ${AT_ONCE}`,
      value: beyond(spent.weave),
      unit: "%",
      limit: 0,
      against: `$${spent.weave.toFixed(3)} are spent; a counter beside the calls: ${shown(beyond(spent.counter))} %`,
    },
    { name: `bounds of ${lines} lines, the first time`, value: ms, unit: "ms", limit: 150 },
    { name: "bound divided by the worst observed, best", value: at(0), unit: "x", limit: undefined, against },
    { name: "bound divided by the worst observed, median", value: at(0.5), unit: "x", limit: undefined, against },
  ];
}
