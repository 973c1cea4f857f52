/** What a call costs that does nothing, with validation, events and policies on, against bare p-limit. */
import pLimit from "p-limit";
import { compile } from "../src/compile.js";
import { realClock } from "../src/host/clock.js";
import { fileHost } from "../src/host/files.js";
import { models } from "../src/host/providers/models.js";
import { toolHost } from "../src/host/tools/host.js";
import { run } from "../src/runtime/run.js";
import type { ToolFunction } from "../src/runtime/tool.js";
import type { Figure } from "./measure.js";

const TOOL = 'tool step(n: int) -> int = module("./step.ts")\n';
const FAN_OUT = `${TOOL}flow main(size: int) -> int { @parallel(100) map n in range(size) { step(n) } |> sum }\n`;
const chain = (length: number): string =>
  `${TOOL}flow main(size: int) -> int {\n${Array.from({ length }, (_, i) => `  let v${i} = step(${i === 0 ? "size" : `v${i - 1}`})\n`).join("")}  v${length - 1}\n}\n`;

/** Milliseconds of one run of a program whose tool is a function. */
async function runMs(source: string, size: number, step: ToolFunction): Promise<number> {
  const { graph, problems } = compile("bench.weave", fileHost(new Map([["bench.weave", source]])));
  if (graph === undefined) throw new Error(problems[0]?.title);
  const environment = (): undefined => undefined;
  const start = performance.now();
  const { status, failure } = await run(
    graph,
    "main",
    { size },
    {
      clock: realClock(),
      tools: toolHost({ directory: ".", allowed: [], functions: { step } }),
      models: models({ simulateAll: true, environment }),
      environment,
      onEvent: () => undefined,
    },
  ).result;
  if (status !== "completed") throw new Error(failure?.message ?? status);
  return performance.now() - start;
}

async function limitMs(size: number, step: (n: number) => unknown): Promise<number> {
  const limit = pLimit(100);
  const start = performance.now();
  await Promise.all(Array.from({ length: size }, (_, n) => limit(async () => step(n))));
  return performance.now() - start;
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Figures of running. */
export async function runtimeFigures(smoke: boolean): Promise<Figure[]> {
  const nothing: ToolFunction = ({ n }) => n;
  const figures: Figure[] = [];
  const sizes = smoke ? [100] : [1000, 10_000];
  for (const size of sizes) {
    const bare = await limitMs(size, (n) => n);
    const ours = await runMs(FAN_OUT, size, nothing);
    figures.push({
      name: `fan-out of ${size.toLocaleString("en-US")} at 100, a call`,
      value: ours / bare,
      unit: "x",
      limit: 3,
      against: `${((ours / size) * 1000).toFixed(1)} µs, p-limit ${((bare / size) * 1000).toFixed(1)} µs`,
    });
  }
  const length = smoke ? 50 : 1000;
  figures.push({
    name: `chain of ${length.toLocaleString("en-US")}, a call`,
    value: ((await runMs(chain(length), 1, nothing)) / length) * 1000,
    unit: "µs",
    limit: 20,
  });

  const calls = smoke ? 100 : 1000;
  const slow = await runMs(FAN_OUT, calls, async ({ n }) => {
    await wait(50);
    return n;
  });
  figures.push({ name: `${calls} calls of 50 ms at 100, times the ideal`, value: slow / ((calls / 100) * 50), unit: "x", limit: 1.03 });
  return figures;
}
