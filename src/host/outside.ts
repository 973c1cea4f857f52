/**
 * Modules from outside: of tools, and packages that only some runs need. The command line runs as one script whose
 * compiled code is kept, and such a script cannot import; `bin/weave.js` hands it the `import` of a module. Everything
 * that is not part of the bundle is loaded by this function.
 */
declare const __import: ((specifier: string) => Promise<unknown>) | undefined;

/** Loads a module by its URL, or a package by its name; rejects as `import` does. `M` is the type of the module. */
export function outside<M>(specifier: string): Promise<M> {
  return (typeof __import === "undefined" ? import(specifier) : __import(specifier)) as Promise<M>;
}
