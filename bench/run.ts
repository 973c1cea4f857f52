/**
 * Prints how fast Weave is, each figure beside its limit, as ratios to what was measured in the same run in fresh
 * processes with a clean environment. `--smoke` does a little of everything, to see that it works.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleIfStale } from "../scripts/build.js";
import { compileFigures } from "./compile.js";
import { report } from "./measure.js";
import { runtimeFigures } from "./runtime.js";
import { startFigures } from "./start.js";

await bundleIfStale();
const smoke = process.argv.includes("--smoke");
const folder = mkdtempSync(join(tmpdir(), "weave-bench-"));
try {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  console.log(`Node ${process.version}${smoke ? ", a short run: figures mean little" : ""}\n`);
  const figures = [...startFigures(smoke ? 3 : 15), ...compileFigures(smoke, write), ...runtimeFigures(smoke)];
  // A short run is judged by whether it works.
  const kept = report(smoke ? figures.map((figure) => ({ ...figure, limit: undefined })) : figures);
  process.exitCode = kept ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
