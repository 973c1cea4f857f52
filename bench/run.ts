/**
 * Prints how fast Weave is, each figure beside its limit, as ratios to what was measured in the same run in fresh
 * processes with a clean environment. `--smoke` does a little of everything, to see that it works, and judges no time.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { bundleIfStale, bundleLibrary } from "../scripts/build.js";
import { boundFigures } from "./bounds.js";
import { compileFigures } from "./compile.js";
import { durableFigures } from "./durable.js";
import { type Effort, peersPresent, report, root } from "./measure.js";
import { runtimeFigures } from "./runtime.js";
import { startFigures } from "./start.js";

const smoke = process.argv.includes("--smoke");
const effort: Effort = { smoke, rounds: smoke ? 1 : 7 };
const folder = mkdtempSync(join(tmpdir(), "weave-bench-"));
// It is made inside the package, where it finds the standard library.
const child = join(root, "dist", "bench", "child.mjs");
try {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  await bundleIfStale();
  await bundleLibrary();
  await build({
    entryPoints: [join(root, "bench", "child.ts")],
    outfile: child,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "node22.13",
    external: ["tsx", "esbuild"],
    banner: { js: 'import{createRequire as __benchRequire}from"node:module";const require=__benchRequire(import.meta.url);' },
    logLevel: "warning",
  });
  const cores = availableParallelism();
  console.log(
    `Node ${process.version}, ${cores} cores${smoke ? ", a short run: figures mean little" : `, medians of ${effort.rounds} runs`}`,
  );
  if (!peersPresent) console.log("Without LangGraph, Mastra, p-graph and BAML: `npm run bench:peers` installs them.");
  const kept = [
    report("Starting", startFigures(effort), smoke),
    report("Compiling", compileFigures(effort, child, write), smoke),
    report("Bounding", await boundFigures(effort, child, write), smoke),
    report("Running", runtimeFigures(effort, write), smoke),
    report("Keeping runs", durableFigures(effort), smoke),
  ];
  process.exitCode = kept.every((each) => each) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
