/** Doing something again whenever a `.weave` file changes, until the command is interrupted. */
import { watch } from "node:fs";
import { dirname } from "node:path";
import type { Terminal } from "./terminal.js";

/** Editors write a file in several steps. */
const SETTLED_MS = 50;

/** Watches the folders of `files`, or all below this one when none were `named`. */
export async function whenChanged(
  named: readonly string[],
  files: Iterable<string>,
  again: () => void | Promise<void>,
  to: Terminal,
): Promise<void> {
  const folders = new Set<string>(named.length === 0 ? ["."] : []);
  for (const path of files) if (!path.startsWith("std:")) folders.add(dirname(path));
  let timer: NodeJS.Timeout | undefined;
  let busy: Promise<void> = Promise.resolve();
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      busy = busy.then(again);
    }, SETTLED_MS);
  };
  for (const folder of folders) {
    watch(folder, { recursive: named.length === 0 }, (_, name) => {
      if (name?.endsWith(".weave")) changed();
    });
  }
  await new Promise<void>((done) => {
    process.once("SIGINT", done);
    process.once("SIGTERM", done);
    to.onClosed(done);
    to.err("Watching for changes; Ctrl-C ends it.\n");
  });
}
