/**
 * The entry of the command line. No error leaves it as a stack trace; it ends with one of the exit codes of
 * `terminal.ts` when everything that was written has been passed on.
 */
import { readFileSync } from "node:fs";
import { drained, EXIT, type ExitCode, terminal } from "./terminal.js";

/** The version of this package. */
export function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return manifest.version;
}

async function main(argv: readonly string[]): Promise<ExitCode> {
  const shell = terminal();
  try {
    const { execute } = await import("./commands.js");
    return await execute(argv, version(), shell);
  } catch (error) {
    shell.err(`weave: ${error instanceof Error ? error.message : String(error)}\n`);
    if (process.env["WEAVE_DEBUG"] && error instanceof Error) shell.err(`${error.stack}\n`);
    return EXIT.failed;
  }
}

const code = await main(process.argv.slice(2));
await drained();
process.exit(code);
