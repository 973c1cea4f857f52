#!/usr/bin/env node
// Starts the command line. It is written for any Node, so that an old one gets a sentence instead of a syntax error;
// in a checkout, whose node_modules bring a current Node, it starts again on that one.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const version = process.versions.node.split(".").map(Number);
const recent = version[0] > 22 || (version[0] === 22 && version[1] >= 13);
const own = path.join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
const cli = path.join(root, "dist", "cli", "main.js");

if (!recent && existsSync(own) && process.execPath !== own) {
  const { spawnSync } = await import("node:child_process");
  const result = spawnSync(own, process.argv.slice(1), { stdio: "inherit" });
  process.exitCode = result.status === null ? 1 : result.status;
} else if (!recent) {
  process.stderr.write(
    `weave needs Node 22.13 or newer; this is Node ${process.versions.node}.\nInstall a current one from https://nodejs.org and try again.\n`,
  );
  process.exitCode = 2;
} else if (process.argv.length === 3 && (process.argv[2] === "--version" || process.argv[2] === "-V")) {
  process.stdout.write(`${JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")).version}\n`);
} else if (!existsSync(cli)) {
  process.stderr.write("weave is not built yet: run `npm run build` in its folder first.\n");
  process.exitCode = 2;
} else {
  const { default: module } = await import("node:module");
  const { default: os } = await import("node:os");
  const uid = process.getuid === undefined ? "" : `-${process.getuid()}`;
  module.enableCompileCache(path.join(process.env.XDG_CACHE_HOME || os.tmpdir(), `weave-compile-cache${uid}`));
  await import("../dist/cli/main.js");
}
