/**
 * What is still to be done needs at least, by sizes as they are known: one attempt of each call, no repairs or hedges,
 * loops at no round, maps at what must succeed. It is what budgets keep back. Worked out only under a budget.
 */
import { type Amounts, type Bounds, bounds, type Shape, shapeOfValue } from "../plan/bounds.js";
import type { Body, CalleeRef, Graph, NodeIR } from "../plan/ir.js";
import { forEachRef, refsOf } from "../plan/walk.js";
import { type Eval, type Frame, type Layout, reader } from "./frame.js";
import { type Amount, nothing } from "./ledger.js";

/** What a body needs, and each of its nodes by place. */
export interface BodyNeeds {
  readonly total: Amount;
  readonly of: readonly Amount[];
  /** The part of it that `@reserve` adds. */
  readonly extra: readonly number[];
}

/** How a body is looked at. */
export interface Keep {
  /** How many nodes do something. */
  readonly working: number;
  /**
   * What it needs in a frame of its own. `given` are sizes that are not in the frame, `ended` tells which nodes have a
   * value.
   */
  readonly needs: (frame: Frame, given?: ReadonlyMap<string, Shape>, ended?: readonly boolean[]) => BodyNeeds;
  /** The nodes whose needs depend on the size of what a node gives. */
  readonly sized: (node: number) => readonly number[];
}

/** What a region needs, and what one item, run or step of it does. */
export interface RegionNeeds {
  readonly total: Amount;
  readonly one: Amount;
}

export interface Analysis {
  readonly body: (body: Body, nodes: readonly NodeIR[], scope: Layout) => Keep;
  readonly region: (node: NodeIR, scope: Layout) => (frame: Frame) => RegionNeeds;
  /** One attempt of a call, by its arguments or their sizes. */
  readonly call: (ref: CalleeRef, args: Readonly<Record<string, unknown>>) => Amount;
  readonly sized: (ref: CalleeRef, args: ReadonlyMap<string, Shape>) => Amount;
  /** The same without the budget that it has itself. */
  readonly inside: (ref: CalleeRef, args: Readonly<Record<string, unknown>>) => Amount;
}

const shapes = new WeakMap<object, Shape>();

/** The size of a value; values do not change, so it is worked out once. */
export function sizeOf(value: unknown): Shape {
  if (typeof value !== "object" || value === null) return shapeOfValue(value);
  let found = shapes.get(value);
  if (found === undefined) {
    found = shapeOfValue(value);
    shapes.set(value, found);
  }
  return found;
}

export function analysis(graph: Graph): Analysis {
  let made: Bounds | undefined;
  // One of its own: what is learnt from real sizes must not change what the compiler says.
  const all = (): Bounds => {
    made ??= bounds(graph, {});
    return made;
  };
  return {
    body: (body, nodes, scope) => keepOf(all, body, nodes, scope),
    region(node, scope) {
      let known: ((frame: Frame) => ReadonlyMap<string, Shape>) | undefined;
      const alone: Body = { nodes: [{ ...node, needed: true }], result: { kind: "const", value: null } };
      return (frame) => {
        known ??= sizesOf([...refsOf(node)], scope);
        const found = all().minimums(alone, known(frame)).of.get(node.id);
        return found === undefined ? { total: nothing, one: nothing } : { total: amountOf(found.all), one: amountOf(found.one) };
      };
    },
    sized: (ref, args) => amountOf(all().call(ref, args).keep),
    call: (ref, args) => amountOf(all().call(ref, sizesIn(args)).keep),
    inside: (ref, args) => amountOf(all().inside(ref, sizesIn(args)).keep),
  };
}

const sizesIn = (args: Readonly<Record<string, unknown>>): ReadonlyMap<string, Shape> =>
  new Map(Object.entries(args).map(([name, value]) => [name, sizeOf(value)]));

/** An amount as budgets count it. What has no limit cannot be kept back. */
function amountOf(of: Amounts<number>): Amount {
  const finite = (count: number): number => (Number.isFinite(count) ? count : 0);
  return { cost: finite(of.cost), tokens: finite(of.inputTokens + of.outputTokens), calls: finite(of.calls) };
}

/** Reads the sizes of what is referred to from a frame; what is not there yet is left out. */
function sizesOf(ids: readonly string[], scope: Layout): (frame: Frame) => Map<string, Shape> {
  const readers = ids.flatMap((id): (readonly [string, Eval])[] => {
    const read = reader(scope, id);
    return read === undefined ? [] : [[id, read]];
  });
  return (frame) => {
    const known = new Map<string, Shape>();
    for (const [id, read] of readers) {
      const value = read(frame);
      if (value !== undefined) known.set(id, sizeOf(value));
    }
    return known;
  };
}

function keepOf(all: () => Bounds, body: Body, nodes: readonly NodeIR[], scope: Layout): Keep {
  const own = new Map(nodes.map((node, i) => [node.id, i]));
  let outer: ((frame: Frame) => Map<string, Shape>) | undefined;
  let inner: readonly (Eval | undefined)[] | undefined;
  let dependents: readonly (readonly number[])[] | undefined;
  return {
    working: nodes.filter((node) => node.kind !== "value").length,
    needs(frame, given, ended) {
      if (outer === undefined) {
        const refs = new Set<string>();
        for (const node of nodes) for (const id of refsOf(node)) refs.add(id);
        forEachRef(body.result, (id) => refs.add(id));
        outer = sizesOf(
          [...refs].filter((id) => !own.has(id)),
          scope,
        );
        inner = nodes.map((node) => (refs.has(node.id) ? reader(scope, node.id) : undefined));
      }
      const known = outer(frame);
      for (const [id, shape] of given ?? []) known.set(id, shape);
      if (ended !== undefined) {
        for (let i = 0; i < nodes.length; i++) if (ended[i] === true) known.set(nodes[i]?.id ?? "", sizeOf(inner?.[i]?.(frame)));
      }
      const { total, of } = all().minimums(body, known);
      const found = nodes.map((node) => of.get(node.id));
      return {
        total: amountOf(total),
        of: found.map((each) => (each === undefined ? nothing : amountOf(each.all))),
        extra: found.map((each) => each?.extra ?? 0),
      };
    },
    sized(node) {
      dependents ??= sizeDependents(nodes, own);
      return dependents[node] ?? [];
    },
  };
}

/** For each node the later ones whose needs depend on how large its value is; answers of agents and tools are as large as declared. */
function sizeDependents(nodes: readonly NodeIR[], own: ReadonlyMap<string, number>): readonly (readonly number[])[] {
  const on: Set<number>[] = [];
  const dependents: number[][] = nodes.map(() => []);
  for (const [j, node] of nodes.entries()) {
    const mine = new Set<number>();
    for (const id of refsOf(node)) {
      const i = own.get(id);
      const before = i === undefined ? undefined : nodes[i];
      if (i === undefined || before === undefined || i === j) continue;
      mine.add(i);
      const declared = before.kind === "call" && before.callee.kind !== "flow";
      if (!declared) for (const further of on[i] ?? []) mine.add(further);
    }
    on.push(mine);
    if (node.kind !== "value") for (const i of mine) dependents[i]?.push(j);
  }
  return dependents;
}
