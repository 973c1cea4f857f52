/**
 * Bundles the command line into scripts in `dist/cli`, whose compiled code `bin/weave.js` keeps for each command, and the
 * library into `dist/index.js`, whose types come from `tsc -p tsconfig.build.json`. With `--if-stale` it does nothing when
 * no source is newer than the last bundle, and leaves the library alone.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "dist", "cli");
const stamp = join(out, ".stamp");

function newest(folder: string): number {
  let time = statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}

function stale(): boolean {
  const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) return true;
  const inputs = [join(root, "package.json"), fileURLToPath(import.meta.url)].map((path) => statSync(path).mtimeMs);
  return Math.max(newest(join(root, "src")), ...inputs) > built;
}

/**
 * The commands that only compile. Their script leaves out the others and what asks servers, and is loaded in half the
 * time; `bin/weave.js` takes it for these commands without `--online`.
 */
const COMPILING = ["./check.js", "./fmt.js", "./graph.js"];

/** Bundles the command line: a script for the commands that only compile, and one for all. */
export async function bundle(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await Promise.all([script("main", []), script("compiling", [compiling])]);
  writeFileSync(stamp, "");
}

/** One script, a function, so that `bin/weave.js` can give it a `require` and an `import`. */
async function script(name: string, plugins: Plugin[]): Promise<void> {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["src/cli/main.ts"],
    plugins: [...plugins, lazySpawn],
    write: false,
    metafile: true,
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node22.13",
    minify: true,
    legalComments: "none",
    define: { "import.meta.url": "__bundleUrl" },
    // Packages import modules of Node; in the script that is a `require`.
    supported: { "dynamic-import": false },
    banner: {
      js: '(function(require,__import,__bundle){const __bundleUrl=require("node:url").pathToFileURL(__bundle).href,module={exports:{}};',
    },
    footer: { js: "})" },
    logLevel: "warning",
  });
  const left = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ kind, path }) => kind === "dynamic-import" && !path.startsWith("./") && !path.startsWith("node:"));
  if (left.length > 0) throw new Error(`import these by \`outside\` of src/host/outside.ts: ${left.map(({ path }) => path).join(", ")}`);
  const text = outputFiles[0]?.text ?? "";
  writeFileSync(join(out, `${name}.cjs`), `//${createHash("sha256").update(text).digest("hex").slice(0, 16)}\n${text}`);
}

/** The reader of arguments can start other programs, which nothing here asks of it: what that takes is loaded when it is. */
const lazySpawn: Plugin = {
  name: "lazy spawn",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes("commander") ? { path: "spawn", namespace: "lazy" } : undefined,
    );
    onLoad({ filter: /./, namespace: "lazy" }, () => ({
      contents: 'module.exports = { get spawn() { return require("node:child_process").spawn; } };',
    }));
  },
};

const compiling: Plugin = {
  name: "compiling",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\// }, ({ path, kind, importer }) => {
      const left = path === "./online.js" || (basename(importer) === "commands.ts" && !COMPILING.includes(path));
      return kind === "dynamic-import" && left ? { path, external: true } : undefined;
    });
  },
};

/** Bundles the library; packages stay outside. It is marked to be compiled when it is loaded, since nearly all of it is used. */
export async function bundleLibrary(): Promise<void> {
  const [{ build }, { eager }] = await Promise.all([import("esbuild"), import("./eager.ts")]);
  const folder = join(root, "dist");
  rmSync(join(folder, "chunks"), { recursive: true, force: true });
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: "src/index.ts" },
    outdir: folder,
    bundle: true,
    packages: "external",
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22.13",
    chunkNames: "chunks/[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
    logLevel: "warning",
  });
  mkdirSync(join(folder, "chunks"), { recursive: true });
  for (const { path, text } of outputFiles) writeFileSync(path, eager(text));
}

/** Bundles when a source changed since the last time. */
export async function bundleIfStale(): Promise<void> {
  if (stale()) await bundle();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--if-stale")) await bundleIfStale();
  else await Promise.all([bundle(), bundleLibrary()]);
}
