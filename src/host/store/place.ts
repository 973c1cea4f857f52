/** Where the store of a program is: `.weave/weave.db` in the nearest folder upwards that has one, else where it is made. */
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export const FOLDER = ".weave";
export const FILE = "weave.db";

/** The store that is nearest upwards from a folder. */
export function findStore(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const file = join(at, FOLDER, FILE);
    if (existsSync(file)) return file;
    if (dirname(at) === at) return undefined;
  }
}

/** Where the runs of a program are kept: an existing store, else one in the working folder, or beside a program outside of it. */
export function storeFor(program: string): string {
  const folder = dirname(resolve(program));
  const found = findStore(folder);
  if (found !== undefined) return found;
  const inside = !relative(process.cwd(), folder).startsWith("..");
  return join(inside ? process.cwd() : folder, FOLDER, FILE);
}
