/**
 * Type variables read off arguments: what `T` stands for when `T[]` is given a list of records, and so on through lists,
 * records, optionals and callables.
 */
import { assignable, join } from "./relate.js";
import { ERROR, expand, hasVars, isOptional, members, type Type } from "./types.js";

/** Reads type variables off an argument: `param` may hold variables, `arg` may not. False when shapes differ. */
export function unify(param: Type, arg: Type, vars: Map<string, Type>): boolean {
  if (param.kind === "var") {
    const known = vars.get(param.name);
    if (known === undefined) vars.set(param.name, arg);
    else if (!assignable(arg, known)) vars.set(param.name, assignable(known, arg) ? arg : join(known, arg));
    return true;
  }
  if (!hasVars(param)) return true;
  if (
    param.kind === "named" &&
    arg.kind === "named" &&
    param.args.length === arg.args.length &&
    param.id.replace(/<.*$/s, "") === arg.id.replace(/<.*$/s, "")
  ) {
    return param.args.every((p, i) => unify(p, arg.args[i] ?? ERROR, vars));
  }
  const p = expand(param);
  const a = expand(arg);
  if (a.kind === "error") return true;
  switch (p.kind) {
    case "list":
      return a.kind === "list" && (a.max === 0 && a.of.kind === "never" ? true : unify(p.of, a.of, vars));
    case "map":
      return a.kind === "map" && unify(p.of, a.of, vars);
    case "record":
      return (
        a.kind === "record" &&
        p.fields.every((f) => {
          const own = a.fields.find((g) => g.name === f.name);
          return own === undefined ? isOptional(f.type) : unify(f.type, own.type, vars);
        })
      );
    case "union": {
      // `T?` against `X?` or `X`: the variable takes what is left without null.
      const open = p.of.filter(hasVars);
      const rest = members(a).filter((m) => !p.of.some((q) => !hasVars(q) && assignable(m, q)));
      const only = open[0];
      if (only === undefined || open.length !== 1 || rest.length === 0) return true;
      return unify(only, rest.length === 1 && rest[0] !== undefined ? rest[0] : { kind: "union", of: rest }, vars);
    }
    case "callable":
      return (
        a.kind === "callable" &&
        p.params.every((q, i) => {
          const own = a.params[i];
          return own === undefined || unify(q.type, own.type, vars);
        }) &&
        unify(p.result, a.result, vars)
      );
    case "secret":
      return unify(p.of, a.kind === "secret" ? a.of : a, vars);
    default:
      return true;
  }
}
