/**
 * One measurement of running in a process of its own, with the library as it is published: `run-case CASE SIZE` prints
 * milliseconds and the peak of memory as JSON. Everything is on: what goes in and out of the tools is validated, every
 * event is told. Loading the library and compiling the program are not counted.
 */
import { join } from "node:path";
import pLimit from "p-limit";
import type * as Library from "../src/index.ts";
import type { ToolFunction } from "../src/index.ts";
import { criticalPath, fiveTools, latencies, layered, predecessors, settled, wait } from "./shapes.ts";

const { compile, run } = (await import(join(import.meta.dirname, "..", "dist", "index.js"))) as typeof Library;

const TOOL = 'tool step(n: int) -> int = module("./step.ts")\n';
const FAN_OUT = `${TOOL}flow main(size: int) -> int { @parallel(100) map n in range(size) { step(n) } |> sum }\n`;
const nothing: ToolFunction = ({ n }) => n;
/** So few calls that collecting what compiling left behind would take longer, if it fell into them by chance. */
const FEW = 5;

/** Milliseconds of one run of a program with one tool, which must be called so many times. */
async function runMs(source: string, size: number, step: ToolFunction, calls = size): Promise<number> {
  const flow = (await compile("bench.weave", { sources: { "bench.weave": source } })).flow("main");
  let events = 0;
  let made = 0;
  const counted: ToolFunction = (args, context) => {
    made++;
    return step(args, context);
  };
  if (calls === FEW) settled();
  const start = performance.now();
  await run(flow, { size }, { simulate: true, tools: calls === 0 ? {} : { step: counted }, onEvent: () => events++ }).result;
  const ms = performance.now() - start;
  if (made !== calls || events < calls) throw new Error(`${made} calls and ${events} events instead of ${calls}`);
  return ms;
}

const chain = (length: number): string =>
  `${TOOL}flow main(size: int) -> int {\n${Array.from({ length }, (_, i) => `  let v${i} = step(${i === 0 ? "size" : `v${i - 1}`})\n`).join("")}  v${length - 1}\n}\n`;

/** A layered graph, where each call waits for two of the layer before. */
function layers(size: number): string {
  const { width } = layered(size);
  const lines = Array.from({ length: size }, (_, at) => {
    const [a, b] = predecessors(at, width);
    return `  let v${at} = step(${a === undefined ? "size" : `v${a}`}, ${b === undefined ? "size" : `v${b}`}, ${at})\n`;
  });
  const last = Array.from({ length: width }, (_, i) => `v${size - width + i}`).join(" + ");
  return `tool step(a: int, b: int, at: int) -> int = module("./step.ts")\nflow main(size: int) -> int {\n${lines.join("")}  ${last}\n}\n`;
}

const budgets = (nested: boolean): string => {
  const on = (amount: number): string => (nested ? `@budget($${amount}) ` : "");
  return `@cost($0.0001) tool step(n: int) -> int = module("./step.ts")
${on(30)}flow main(size: int) -> int { middle(size) }
${on(20)}flow middle(size: int) -> int { inner(size) }
${on(10)}flow inner(size: int) -> int { @parallel(100) map n in range(size) { step(n) } |> sum }
`;
};

/** Every call fails once, and waits for 100 ms before it is tried again. */
function failsOnce(): ToolFunction {
  const seen = new Set<unknown>();
  return ({ n }) => {
    if (seen.has(n)) return n;
    seen.add(n);
    throw Object.assign(new Error("busy"), { kind: "rate_limit" });
  };
}

async function limited(size: number, step: (n: number) => Promise<unknown>): Promise<number> {
  const limit = pLimit(100);
  const start = performance.now();
  await Promise.all(Array.from({ length: size }, (_, n) => limit(() => step(n))));
  return performance.now() - start;
}

const cases: Readonly<Record<string, (size: number) => Promise<number>>> = {
  "fan-out": (size) => runMs(FAN_OUT, size, nothing),
  "fan-out with idle policies": (size) =>
    runMs(FAN_OUT.replace("tool", '@retry(3) @timeout(30s) @rate(1000000000/s) @priority("high")\ntool'), size, nothing),
  "p-limit": (size) => limited(size, async (n) => n),
  chain: (size) => runMs(chain(size), 1, nothing, size),
  "layered graph": (size) => runMs(layers(size), 1, ({ a, b }) => Math.max(Number(a), Number(b)), size),
  "slow fan-out": (size) => runMs(FAN_OUT, size, async ({ n }) => await wait(50).then(() => n)),
  "slow p-limit": (size) => limited(size, () => wait(50)),
  "slow layered graph": async (size) => {
    const table = latencies(size);
    return runMs(layers(size), 1, async ({ a, at }) => await wait(table[Number(at)] ?? 0).then(() => a), size);
  },
  "critical path": async (size) => criticalPath(size),
  "five tools": () => runMs(fiveTools("./step.ts"), 1, nothing, FEW),
  agents: (size) =>
    runMs(
      `model slow { provider: "sim", latency: 200ms }
agent Answer(n: int) -> string { model: slow, prompt: "{{n}}" }
flow main(size: int) -> int { map n in range(size) { Answer(n) } |> len }
`,
      size,
      nothing,
      0,
    ),
  "retried fan-out": (size) =>
    runMs(FAN_OUT.replace("tool", "@retry(2, backoff: 100ms, jitter: false)\ntool"), size, failsOnce(), 2 * size),
  "without budgets": (size) => runMs(budgets(false), size, nothing),
  "with three budgets": (size) => runMs(budgets(true), size, nothing),
};

const [name = "", size = "0"] = process.argv.slice(2);
const measured = cases[name];
if (measured === undefined) throw new Error(`no case ${name}`);
const ms = await measured(Number(size));
console.log(JSON.stringify({ ms, mb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
