/** Looks for the program of a model before a run, so that a name that is wrong costs nothing. */
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import type { ModelIR } from "../../plan/ir.js";

/** The program of a model where it cannot be found; one whose name is worked out at run time is looked for then. */
export function findProgram(model: ModelIR, directory: string, path: string | undefined): string | undefined {
  const first = model.command?.[0];
  if (first === undefined || first.kind !== "const" || typeof first.value !== "string" || process.platform === "win32") return undefined;
  const name = first.value;
  const places = name.includes("/")
    ? [isAbsolute(name) ? name : resolve(directory, name)]
    : (path ?? "/usr/bin:/bin").split(delimiter).map((folder) => join(folder, name));
  return places.some(isProgram) ? undefined : name;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
