/**
 * Prints how fast Weave is, each figure beside its limit, as ratios to what was measured in the same run in fresh
 * processes with a clean environment. `--smoke` does a little of everything, to see that it works.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileFigures } from "./compile.js";
import { report } from "./measure.js";
import { runtimeFigures } from "./runtime.js";
import { startFigures } from "./start.js";

const smoke = process.argv.includes("--smoke");
const folder = mkdtempSync(join(tmpdir(), "weave-bench-"));
try {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  console.log(`Node ${process.version}${smoke ? ", a short run: figures mean little" : ""}\n`);
  const figures = [...startFigures(smoke ? 3 : 15), ...compileFigures(smoke, write), ...(await runtimeFigures(smoke))];
  const kept = report(figures);
  // A short run is judged by whether it works.
  process.exitCode = kept || smoke ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
