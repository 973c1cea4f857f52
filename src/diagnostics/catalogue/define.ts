/** How an entry of the catalogue is written: parameters typed, texts as strings or functions of them. */
import type { Definition, Severity } from "../problems.js";

type Texts<P> = string | ((params: P) => string);
type OptionalTexts<P> = string | ((params: P) => string | undefined);

export interface Entry<P> {
  readonly title: Texts<P>;
  readonly label?: OptionalTexts<P>;
  readonly help?: OptionalTexts<P>;
}

/** Parameters of a definition that needs none. */
export type None = Record<string, never>;

function define<P>(severity: Severity, code: string, entry: Entry<P>): Definition<P> {
  const { title, label, help } = entry;
  return {
    code,
    severity,
    title: typeof title === "function" ? title : () => title,
    ...(label === undefined ? {} : { label: typeof label === "function" ? label : () => label }),
    ...(help === undefined ? {} : { help: typeof help === "function" ? help : () => help }),
  };
}

export const error = <P = None>(code: string, entry: Entry<P>): Definition<P> => define("error", code, entry);
export const warning = <P = None>(code: string, entry: Entry<P>): Definition<P> => define("warning", code, entry);
export const note = <P = None>(code: string, entry: Entry<P>): Definition<P> => define("note", code, entry);
