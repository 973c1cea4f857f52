/**
 * Random programs: the graph, and what a plain sequential reading of it gives. Every call is `t(x)`, a number from a
 * number; whether a call fails depends on its argument alone, so that failures are part of the meaning too.
 */
import fc from "fast-check";
import type { Body, ExprIR, NodeIR } from "../../src/plan/ir.js";
import * as f from "../support/flows.js";

export type Stmt =
  | { readonly kind: "call"; readonly from: readonly number[] }
  | { readonly kind: "value"; readonly from: readonly number[] }
  | { readonly kind: "map"; readonly size: number; readonly limit: number | undefined; readonly block: Block }
  | { readonly kind: "fork"; readonly blocks: readonly Block[] }
  | { readonly kind: "if"; readonly from: number; readonly then: Block; readonly else: Block }
  | { readonly kind: "loop"; readonly times: number; readonly stop: number; readonly block: Block }
  | { readonly kind: "reduce"; readonly size: number; readonly groups: number | undefined }
  | { readonly kind: "try"; readonly block: Block; readonly recover: Block };
export interface Block {
  readonly stmts: readonly Stmt[];
}

export const block: fc.Arbitrary<Block> = fc.letrec<{ block: Block; stmt: Stmt }>((tie) => ({
  block: fc.record({ stmts: fc.array(tie("stmt"), { minLength: 1, maxLength: 5 }) }),
  stmt: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("call" as const), from: fc.array(fc.nat(20), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("value" as const), from: fc.array(fc.nat(20), { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant("map" as const),
      size: fc.nat(4),
      limit: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      block: tie("block"),
    }),
    fc.record({ kind: fc.constant("fork" as const), blocks: fc.array(tie("block"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ kind: fc.constant("if" as const), from: fc.nat(20), then: tie("block"), else: tie("block") }),
    fc.record({ kind: fc.constant("loop" as const), times: fc.integer({ min: 1, max: 3 }), stop: fc.nat(6), block: tie("block") }),
    fc.record({
      kind: fc.constant("reduce" as const),
      size: fc.nat(6),
      groups: fc.option(fc.integer({ min: 2, max: 3 }), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant("try" as const), block: tie("block"), recover: tie("block") }),
  ),
})).block;

/** What `t` gives; numbers stay small so that sums are exact. */
export const answer = (x: number): number => (x * 7 + 3) % 101;

class Failed extends Error {}

export interface Made {
  readonly body: Body;
  /** The value by a sequential reading; undefined where it fails. `failing` says which arguments fail. */
  readonly expected: (failing: (x: number) => boolean) => number | undefined;
}

interface Env {
  readonly ids: readonly string[];
  readonly values: readonly number[];
}

/** Makes the graph of a block and its sequential meaning. */
export function program(root: Block): Made {
  let count = 0;
  const fresh = (): string => `v${count++}`;

  const sum = (ids: readonly string[]): ExprIR => f.fn("sum", f.listOf(...ids.map(f.r), f.k(1)));
  const chosen = (ids: readonly string[], from: readonly number[]): readonly string[] =>
    ids.length === 0 ? [] : from.map((n) => ids[n % ids.length] ?? "");

  function bodyOf(of: Block, outer: readonly string[]): Body {
    const nodes: NodeIR[] = [];
    const own: string[] = [];
    for (const [i, stmt] of of.stmts.entries()) {
      const id = fresh();
      // What a node may need of this body: everything before it, when it looks into a block.
      nodes.push(nodeOf(stmt, id, `s${i}`, [...outer, ...own], own));
      own.push(id);
    }
    return f.body(nodes, f.fn("sum", f.listOf(...own.map(f.r))));
  }

  function nodeOf(stmt: Stmt, id: string, segment: string, ids: readonly string[], own: readonly string[]): NodeIR {
    const inside = { segment, deps: [...own] };
    switch (stmt.kind) {
      case "call":
      case "value": {
        const from = chosen(ids, stmt.from);
        const deps = [...new Set(from.filter((each) => own.includes(each)))];
        return stmt.kind === "call" ? f.call(id, "t", { x: sum(from) }, { segment, deps }) : f.value(id, sum(from), { segment, deps });
      }
      case "map": {
        const item = fresh();
        const policies = stmt.limit === undefined ? {} : { parallel: { max: f.k(stmt.limit) } };
        const list = fresh();
        // The map's value is summed up by a node of its own, so that it is a number as well.
        const inner = f.map(list, f.fn("range", f.k(stmt.size)), item, bodyOf(stmt.block, [...ids, item]), { segment: "map", policies });
        return { ...f.base(id, inside), kind: "scope", body: f.body([inner], f.fn("sum", f.r(list))) };
      }
      case "fork": {
        const fork = fresh();
        const branches = stmt.blocks.map((each, i) => ({ name: `b${i}`, body: bodyOf(each, ids) }));
        const node: NodeIR = { ...f.base(fork, { segment: "fork" }), kind: "fork", settle: false, branches };
        return { ...f.base(id, inside), kind: "scope", body: f.body([node], f.fn("sum", f.fn("values", f.r(fork)))) };
      }
      case "if": {
        const [from = ""] = chosen(ids, [stmt.from]);
        const test = from === "" ? f.k(true) : f.op("==", f.fn("clamp", f.r(from), f.k(0), f.k(50)), f.r(from));
        return { ...f.base(id, inside), kind: "if", test, then: bodyOf(stmt.then, ids), else: bodyOf(stmt.else, ids) };
      }
      case "loop": {
        const state = fresh();
        const inner = bodyOf(stmt.block, [...ids, state]);
        const stop: NodeIR = {
          ...f.base(fresh(), { segment: "stop", after: [] }),
          kind: "stop",
          test: f.op(">=", f.r(state), f.k(stmt.stop * 20)),
        };
        const guarded = inner.nodes.map((node) => ({ ...node, after: [...node.after, stop.id] }));
        return {
          ...f.base(id, inside),
          kind: "loop",
          state,
          init: f.k(stmt.stop),
          times: f.k(stmt.times),
          body: f.body([stop, ...guarded], inner.result),
        };
      }
      case "reduce": {
        const reduce = fresh();
        const params = stmt.groups === undefined ? [fresh(), fresh()] : [fresh()];
        const c = fresh();
        const x = stmt.groups === undefined ? sum(params) : f.op("+", f.fn("sum", f.r(params[0] ?? "")), f.k(1));
        const node: NodeIR = {
          ...f.base(reduce, { segment: "reduce" }),
          kind: "reduce",
          over: f.fn("range", f.k(stmt.size)),
          ...(stmt.groups === undefined ? {} : { groups: f.k(stmt.groups) }),
          params,
          body: f.body([f.call(c, "t", { x })], f.r(c)),
        };
        return { ...f.base(id, inside), kind: "scope", body: f.body([node], { kind: "default", left: f.r(reduce), right: f.k(0) }) };
      }
      case "try":
        return {
          ...f.base(id, inside),
          kind: "try",
          body: bodyOf(stmt.block, ids),
          error: fresh(),
          partial: false,
          recover: bodyOf(stmt.recover, ids),
        };
    }
  }

  const expected = (failing: (x: number) => boolean): number | undefined => {
    const t = (x: number): number => {
      if (failing(x)) throw new Failed();
      return answer(x);
    };
    const add = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);
    const pick = (env: Env, from: readonly number[]): number[] =>
      env.values.length === 0 ? [] : from.map((n) => env.values[n % env.values.length] ?? 0);
    const run = (of: Block, outer: readonly number[]): number => {
      const own: number[] = [];
      for (const stmt of of.stmts) own.push(step(stmt, [...outer, ...own]));
      return add(own);
    };
    const step = (stmt: Stmt, values: readonly number[]): number => {
      const env: Env = { ids: [], values };
      switch (stmt.kind) {
        case "call":
          return t(add(pick(env, stmt.from)) + 1);
        case "value":
          return add(pick(env, stmt.from)) + 1;
        case "map":
          return add(Array.from({ length: stmt.size }, (_, i) => run(stmt.block, [...values, i])));
        case "fork":
          return add(stmt.blocks.map((each) => run(each, values)));
        case "if": {
          const [from] = pick(env, [stmt.from]);
          return run(from === undefined || (from >= 0 && from <= 50) ? stmt.then : stmt.else, values);
        }
        case "loop": {
          let state = stmt.stop;
          for (let i = 0; i < stmt.times && state < stmt.stop * 20; i++) state = run(stmt.block, [...values, state]);
          return state;
        }
        case "reduce": {
          let level = Array.from({ length: stmt.size }, (_, i) => i);
          const size = stmt.groups ?? 2;
          while (level.length > 1) {
            const next: number[] = [];
            for (let i = 0; i < level.length; i += size) {
              const group = level.slice(i, i + size);
              next.push(group.length === 1 ? (group[0] ?? 0) : t(add(group) + 1));
            }
            level = next;
          }
          return level[0] ?? 0;
        }
        case "try":
          try {
            return run(stmt.block, values);
          } catch (thrown) {
            if (!(thrown instanceof Failed)) throw thrown;
            return run(stmt.recover, values);
          }
      }
    };
    try {
      return run(root, []);
    } catch (thrown) {
      if (thrown instanceof Failed) return undefined;
      throw thrown;
    }
  };
  return { body: bodyOf(root, []), expected };
}
