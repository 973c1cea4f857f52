/**
 * The entry of the command line. No error leaves it as a stack trace; it ends with one of the exit codes of
 * `terminal.ts` when everything that was written has been passed on.
 */
import { readFileSync } from "node:fs";
import { catchStrays, finished } from "./strays.js";
import { drained, EXIT, type ExitCode, terminal } from "./terminal.js";

/** The version of this package. */
export function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return manifest.version;
}

/** What the system says about a file, with the path as it was given. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? undefined : SYSTEM[code];
  return reason === undefined || path === undefined ? error.message : `${path.replace(/\.\d+\.tmp$/, "")}: ${reason}`;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of this path is no folder",
  EISDIR: "this is a folder",
  EEXIST: "there is a file already",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "this disk is read-only",
  ENOSPC: "the disk is full",
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const shell = terminal();
  catchStrays(shell);
  try {
    const { execute } = await import("./commands.js");
    return await execute(argv, version(), shell);
  } catch (error) {
    shell.err(`weave: ${said(error)}\n`);
    if (process.env["WEAVE_DEBUG"] && error instanceof Error) shell.err(`${error.stack}\n`);
    return EXIT.failed;
  }
}

void main(process.argv.slice(2)).then(async (code) => {
  await drained();
  finished();
  process.exit(code);
});
