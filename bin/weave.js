#!/usr/bin/env node
// Starts the command line. It is written for any Node, so that an old one gets a sentence instead of a syntax error;
// in a checkout, whose node_modules bring a current Node, it starts again on that one. Compiling the bundle would take
// longer than a small check, so what one run compiled is kept for the next ones: that is V8's own cache of code, which
// V8 refuses when it was made by another version, and then it is made anew.
"use strict";
const { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const root = path.dirname(__dirname);
const version = process.versions.node.split(".").map(Number);
const recent = version[0] > 22 || (version[0] === 22 && version[1] >= 13);
const own = path.join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
const command = /^[a-z]+$/.test(process.argv[2] || "") ? process.argv[2] : "weave";
const compiling = ["check", "fmt", "graph"].includes(command) && !process.argv.includes("--online");
const bundle = path.join(root, "dist", "cli", compiling ? "compiling.cjs" : "main.cjs");

if (!recent && existsSync(own) && process.execPath !== own) {
  const result = require("node:child_process").spawnSync(own, process.argv.slice(1), { stdio: "inherit" });
  process.exitCode = result.status === null ? 1 : result.status;
} else if (!recent) {
  process.stderr.write(
    `weave needs Node 22.13 or newer; this is Node ${process.versions.node}.\nInstall a current one from https://nodejs.org and try again.\n`,
  );
  process.exitCode = 2;
} else if (process.argv.length === 3 && (process.argv[2] === "--version" || process.argv[2] === "-V")) {
  process.stdout.write(`${JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version}\n`);
} else if (!existsSync(bundle)) {
  process.stderr.write("weave is not built yet: run `npm run build` in its folder first.\n");
  process.exitCode = 2;
} else {
  start(readFileSync(bundle, "latin1"));
}

/** Runs the bundle, a function of `require`, `import` and its own path. */
function start(source) {
  const { Script } = require("node:vm");
  const folder = cacheFolder();
  const kept = folder && path.join(folder, cacheName(source));
  const cachedData = kept && read(kept);
  const script = new Script(source, { filename: bundle, cachedData });
  // Only after a command did its work is compiled what the work needs.
  if (kept && (!cachedData || script.cachedDataRejected)) {
    process.once("exit", (code) => {
      if (code === 0) write(kept, script.createCachedData());
    });
  }
  // Before 24 Node calls its SQLite experimental, which is nothing that a user of the command line could act upon.
  if (version[0] < 24) {
    const { emitWarning } = process;
    process.emitWarning = (warning, ...more) => {
      if (!String(warning).startsWith("SQLite is an experimental")) emitWarning.call(process, warning, ...more);
    };
  }
  // The modules of tools are kept by Node.
  if (folder && !compiling) require("node:module").enableCompileCache(folder);
  script.runInThisContext()(require, (specifier) => import(specifier), bundle);
}

/** The folder for compiled code; undefined where somebody else could put code into it. */
function cacheFolder() {
  const uid = process.getuid === undefined ? undefined : process.getuid();
  const folder = path.join(
    process.env.XDG_CACHE_HOME || require("node:os").tmpdir(),
    `weave-compile-cache${uid === undefined ? "" : `-${uid}`}`,
  );
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid: owner, mode } = statSync(folder);
    return uid === undefined || (owner === uid && (mode & 0o022) === 0) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Each command compiles other parts of the bundle, which begins with a comment that holds its hash. */
function cacheName(source) {
  return `${source.slice(2, source.indexOf("\n"))}-${process.version}-${process.arch}-${command}.bin`;
}

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

function write(file, data) {
  try {
    // Another run may be reading or writing it.
    const made = `${file}.${process.pid}`;
    writeFileSync(made, data);
    renameSync(made, file);
  } catch {
    // The next run compiles again.
  }
}
