/** One measure of the runtime in a process of its own: prints the milliseconds of its first run. */
import pLimit from "p-limit";
import { compile } from "../src/compile.js";
import { realClock } from "../src/host/clock.js";
import { fileHost } from "../src/host/files.js";
import { models } from "../src/host/providers/models.js";
import { toolHost } from "../src/host/tools/host.js";
import { run } from "../src/runtime/run.js";
import type { ToolFunction } from "../src/runtime/tool.js";

const TOOL = 'tool step(n: int) -> int = module("./step.ts")\ntool both(a: int, b: int) -> int = module("./step.ts")\n';
const FAN_OUT = `${TOOL}flow main(size: int) -> int { @parallel(100) map n in range(size) { step(n) } |> sum }\n`;

const flowOf = (lines: readonly string[], result: string): string =>
  `${TOOL}flow main(size: int) -> int {\n${lines.join("\n")}\n  ${result}\n}\n`;

const chain = (length: number): string =>
  flowOf(
    Array.from({ length }, (_, i) => `  let v${i} = step(${i === 0 ? "size" : `v${i - 1}`})`),
    `v${length - 1}`,
  );

/** Layers of 20 calls, each of which needs two of the layer before. */
function layered(calls: number): string {
  const wide = 20;
  const lines = Array.from({ length: calls }, (_, i) => {
    const above = (k: number): string => `v${i - wide - (i % wide) + ((i + k) % wide)}`;
    return `  let v${i} = ${i < wide ? "step(size)" : `both(${above(0)}, ${above(1)})`}`;
  });
  const last = Array.from({ length: Math.min(wide, calls) }, (_, i) => `v${calls - 1 - i}`);
  return flowOf(lines, `sum([${last.join(", ")}])`);
}

async function runMs(source: string, size: number, step: ToolFunction): Promise<number> {
  const { graph, problems } = compile("bench.weave", fileHost(new Map([["bench.weave", source]])));
  if (graph === undefined) throw new Error(problems[0]?.title);
  const environment = (): undefined => undefined;
  const both: ToolFunction = ({ a, b }) => (Number(a) + Number(b)) % 1000;
  const start = performance.now();
  const handle = run(
    graph,
    "main",
    { size },
    {
      clock: realClock(),
      tools: toolHost({ directory: ".", allowed: [], functions: { step, both } }),
      models: models({ simulateAll: true, environment }),
      environment,
      onEvent: () => undefined,
    },
  );
  const { status, failure } = await handle.result;
  const ms = performance.now() - start;
  if (status !== "completed") throw new Error(failure?.message ?? status);
  return ms;
}

async function limitMs(size: number): Promise<number> {
  const limit = pLimit(100);
  const start = performance.now();
  await Promise.all(Array.from({ length: size }, (_, n) => limit(async () => n)));
  return performance.now() - start;
}

const nothing: ToolFunction = ({ n }) => n;
const slow: ToolFunction = ({ n }) => new Promise((done) => setTimeout(() => done(n), 50));

const cases: Readonly<Record<string, (size: number) => Promise<number>>> = {
  "p-limit": limitMs,
  "fan-out": (size) => runMs(FAN_OUT, size, nothing),
  chain: (size) => runMs(chain(size), 1, nothing),
  layered: (size) => runMs(layered(size), 1, nothing),
  slow: (size) => runMs(FAN_OUT, size, slow),
};

const [name = "", size = "0"] = process.argv.slice(2);
const measure = cases[name];
if (measure === undefined) throw new Error(`no case ${name}`);
console.log(await measure(Number(size)));
