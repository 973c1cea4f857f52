/** Parameters of callables while bounds are worked out: what they hold, the scope that sees them, names for open sizes. */
import { isOpen, symbol } from "./bound-algebra.js";
import { type Scope, shapeOf } from "./bound-expressions.js";
import { ANY, listOf, meet, type Shape, shapeOfType } from "./bound-sizes.js";
import type { Args } from "./bound-world.js";
import type { ParamIR } from "./ir.js";

/** What the parameters hold, by name: what is given, cut to what is declared; defaults where nothing is. */
export function paramShapes(params: readonly ParamIR[], args: Args, scope: Scope): Map<string, Shape> {
  const out = new Map<string, Shape>();
  const names: Scope = { types: scope.types, names: new Map(), outer: undefined };
  for (const param of params) {
    const given = args.get(param.name) ?? (param.default === undefined ? undefined : shapeOf(param.default, names));
    const shape = given === undefined ? shapeOfType(param.type, scope.types) : meet(given, param.type, scope.types);
    names.names.set(param.id, shape);
    out.set(param.name, shape);
  }
  return out;
}

/** The scope in which a declaration sees its parameters. */
export function paramScope(params: readonly ParamIR[], shapes: Args, types: Scope["types"]): Scope {
  const names = new Map<string, Shape>();
  for (const param of params) names.set(param.id, shapes.get(param.name) ?? ANY);
  return { types, names, outer: undefined };
}

/** Lists of unknown length get a symbol: `|paths|`, `|issue.tags|`, `|files[].lines|`. */
export function nameLists(shape: Shape, name: string): Shape {
  switch (shape.kind) {
    case "list": {
      const of = nameLists(shape.of, `${name}[]`);
      if (of === shape.of && !isOpen(shape.max)) return shape;
      return listOf(of, shape.min, isOpen(shape.max) ? symbol(name) : shape.max);
    }
    case "record": {
      let fields: Map<string, Shape> | undefined;
      for (const [field, of] of shape.fields) {
        const named = nameLists(of, `${name}.${field}`);
        if (named === of) continue;
        fields ??= new Map(shape.fields);
        fields.set(field, named);
      }
      return fields === undefined ? shape : { kind: "record", fields };
    }
    case "map":
      return isOpen(shape.max) ? { ...shape, max: symbol(name) } : shape;
    case "either": {
      const of = shape.of.map((each) => nameLists(each, name));
      return of.some((each, i) => each !== shape.of[i]) ? { kind: "either", of } : shape;
    }
    default:
      return shape;
  }
}
