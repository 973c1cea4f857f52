/** One measurement of a peer in a process of its own: `measure PEER CASE SIZE` prints milliseconds and memory as JSON. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { latencies, layered, predecessors, settled, wait } from "../shapes.ts";

type Measure = (size: number) => Promise<number>;
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  if (name === "five tools") settled();
  const start = performance.now();
  await work();
  return performance.now() - start;
};

async function pGraph(): Promise<Record<string, Measure>> {
  const { PGraph } = await import("p-graph");
  const chainOf = (size: number) => {
    const nodes = Object.fromEntries(Array.from({ length: size }, (_, i) => [`n${i}`, { run: async () => i }]));
    const edges = Array.from({ length: size - 1 }, (_, i): [string, string] => [`n${i}`, `n${i + 1}`]);
    return timed(() => new PGraph(nodes, edges).run());
  };
  const layers = (size: number, run: (at: number) => Promise<unknown>) => {
    const { width } = layered(size);
    const nodes = Object.fromEntries(Array.from({ length: size }, (_, at) => [`n${at}`, { run: () => run(at) }]));
    const edges = Array.from({ length: size }, (_, at) => predecessors(at, width).map((p): [string, string] => [`n${p}`, `n${at}`])).flat();
    return timed(() => new PGraph(nodes, edges).run());
  };
  return {
    chain: chainOf,
    "five tools": () => chainOf(5),
    "layered graph": (size) => layers(size, async (at) => at),
    "slow layered graph": (size) => {
      const table = latencies(size);
      return layers(size, (at) => wait(table[at] ?? 0));
    },
  };
}

async function mastra(): Promise<Record<string, Measure>> {
  const { createStep, createWorkflow } = await import("@mastra/core/workflows");
  const { z } = await import("zod");
  const number = z.object({ n: z.number() });
  const step = (id: string, run: (n: number) => Promise<void> = async () => {}) =>
    createStep({
      id,
      inputSchema: number,
      outputSchema: number,
      execute: async ({ inputData }) => {
        await run(inputData.n);
        return { n: inputData.n };
      },
    });
  const start = async (workflow: { createRun(): unknown }, inputData: unknown): Promise<void> => {
    const run = (await workflow.createRun()) as { start(options: { inputData: unknown }): Promise<{ status: string }> };
    const { status } = await run.start({ inputData });
    if (status !== "success") throw new Error(status);
  };
  const fanOutWorkflow = (run?: (n: number) => Promise<void>) =>
    createWorkflow({ id: "fan", inputSchema: z.array(number), outputSchema: z.array(number) })
      .foreach(step("step", run), { concurrency: 100 })
      .commit();
  const fanOut = (size: number, run?: (n: number) => Promise<void>) => {
    const workflow = fanOutWorkflow(run);
    const items = Array.from({ length: size }, (_, n) => ({ n }));
    return timed(() => start(workflow, items));
  };
  const chainWorkflow = (size: number) => {
    let workflow = createWorkflow({ id: "chain", inputSchema: number, outputSchema: number }) as unknown as {
      then(s: unknown): typeof workflow;
      commit(): { createRun(): unknown };
    };
    for (let i = 0; i < size; i++) workflow = workflow.then(step(`s${i}`));
    return workflow.commit();
  };
  const chainOf = (size: number) => {
    const made = chainWorkflow(size);
    return timed(() => start(made, { n: 1 }));
  };
  /** The same with its store in a file. */
  const kept = async (workflow: { createRun(): unknown }, inputData: unknown): Promise<number> => {
    const [{ Mastra }, { LibSQLStore }] = await Promise.all([import("@mastra/core"), import("@mastra/libsql")]);
    const folder = mkdtempSync(join(tmpdir(), "mastra-"));
    try {
      const storage = new LibSQLStore({ id: "store", url: `file:${join(folder, "store.db")}` });
      const mastra = new Mastra({ workflows: { it: workflow as never }, storage, logger: false });
      return await timed(() => start(mastra.getWorkflow("it") as never, inputData));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return {
    "fan-out": (size) => fanOut(size),
    "slow fan-out": (size) => fanOut(size, () => wait(50)),
    chain: chainOf,
    "five tools": () => chainOf(5),
    "kept chain": (size) => kept(chainWorkflow(size), { n: 1 }),
    "kept fan-out": (size) =>
      kept(
        fanOutWorkflow(),
        Array.from({ length: size }, (_, n) => ({ n })),
      ),
  };
}

async function langGraph(): Promise<Record<string, Measure>> {
  const { Annotation, END, Send, START, StateGraph } = await import("@langchain/langgraph");
  const sum = (a: number, b: number): number => a + b;
  const fanOut = (size: number, run: () => Promise<void> = async () => {}) => {
    const State = Annotation.Root({ size: Annotation<number>(), total: Annotation<number>({ reducer: sum, default: () => 0 }) });
    const graph = new StateGraph(State)
      .addNode("step", async (item: { n: number }) => {
        await run();
        return { total: item.n };
      })
      .addConditionalEdges(START, ({ size }) => Array.from({ length: size }, (_, n) => new Send("step", { n })))
      .addEdge("step", END)
      .compile();
    return timed(() => graph.invoke({ size }, { maxConcurrency: 100, recursionLimit: 100_000 }));
  };
  const chainOf = (size: number) => {
    const State = Annotation.Root({ n: Annotation<number>() });
    // The types of a graph that grows in a loop say nothing.
    let graph = new StateGraph(State) as never as {
      addNode(name: string, run: (s: { n: number }) => Promise<{ n: number }>): typeof graph;
      addEdge(from: string, to: string): typeof graph;
      compile(): { invoke(input: { n: number }, options: object): Promise<unknown> };
    };
    for (let i = 0; i < size; i++) graph = graph.addNode(`s${i}`, async ({ n }) => ({ n }));
    for (let i = 0; i < size; i++) graph = graph.addEdge(i === 0 ? START : `s${i - 1}`, `s${i}`);
    const made = graph.addEdge(`s${size - 1}`, END).compile();
    return timed(() => made.invoke({ n: 1 }, { recursionLimit: 100_000 }));
  };
  return {
    "fan-out": (size) => fanOut(size),
    "slow fan-out": (size) => fanOut(size, () => wait(50)),
    chain: chainOf,
    "five tools": () => chainOf(5),
  };
}

const peers: Readonly<Record<string, () => Promise<Record<string, Measure>>>> = { "p-graph": pGraph, Mastra: mastra, LangGraph: langGraph };
const [peer = "", name = "", size = "0"] = process.argv.slice(2);
const measure = (await peers[peer]?.())?.[name];
if (measure === undefined) throw new Error(`no case ${name} of ${peer}`);
const ms = await measure(Number(size));
console.log(JSON.stringify({ ms, mb: process.resourceUsage().maxRSS / 1024 }));
process.exit(0);
