/** What the parts of the analysis of bounds share: where an expression stands, and what was found so far. */
import type { Span } from "../source/source.js";
import type { Count } from "./bound-algebra.js";
import type { Bound, Caps } from "./bound-amounts.js";
import type { Scope } from "./bound-expressions.js";
import type { MeanUse } from "./bound-means.js";
import type { Shape } from "./bound-sizes.js";
import type { Body, CalleeRef, Graph, Policies } from "./ir.js";

/** What a part of a flow contributes. */
export interface Part {
  readonly title: string;
  /** Where the figures come from: attempts, requests, items. */
  readonly notes: readonly string[];
  /** How often its own parts are paid. */
  readonly times: Count;
  readonly span: Span;
  readonly bound: Bound;
  readonly parts: readonly Part[];
}

/** The bound of something, the shape of its value, and what contributes. */
export interface Evaluated {
  readonly bound: Bound;
  readonly shape: Shape;
  readonly parts: readonly Part[];
}

export interface Called extends Evaluated {
  readonly part: Part;
  /** What `@reserve` adds to what is kept back. */
  readonly extra: number;
}

/** A budget that was met, with what is inside it before the cap. */
export interface BudgetSite {
  readonly name: string;
  readonly span: Span;
  readonly caps: Caps;
  readonly inside: Bound;
  readonly parts: readonly Part[];
}

/** A call of a capability that nothing fits. */
export interface Unfit {
  readonly capability: string;
  readonly span: Span;
  /** Why, for each implementation. */
  readonly reasons: readonly string[];
}

/** A call of a capability whose `@prefer` names none of what could be chosen. */
export interface Unpreferred {
  readonly capability: string;
  readonly span: Span;
  readonly candidates: readonly string[];
}

export type BudgetPolicy = NonNullable<Policies["budget"]>;
export type Args = ReadonlyMap<string, Shape>;

/** What earlier runs tell, while what is expected is worked out. */
export interface Means {
  readonly of: ReadonlyMap<string, MeanUse>;
  /** Callables that were met and are known, and those that are not. */
  readonly met: Set<string>;
  readonly unknown: Set<string>;
}

/** What holds for a whole analysis. */
export interface World {
  readonly graph: Graph;
  /** Bodies of flows, by flow and the sizes it is called with. */
  readonly flows: Map<string, Evaluated>;
  readonly budgets: Map<BudgetPolicy, BudgetSite>;
  /** By file and place. */
  readonly unfit: Map<string, Unfit>;
  readonly unpreferred: Map<string, Unpreferred>;
  /** Where what is expected is asked for, not what is possible. */
  readonly means: Means | undefined;
  /** The bound of a body; its nodes' shapes are added to the scope. */
  readonly body: (body: Body, place: Place) => Evaluated;
  /** The bound of a call, with the policies of the place and of the declaration; `mostCost` caps one attempt. */
  readonly call: (ref: CalleeRef, args: Args, own: Policies, place: Place, span: Span, mostCost?: number) => Called;
  /** One attempt of a call, without what repeats it. */
  readonly attempt: (ref: CalleeRef, args: Args, place: Place, span: Span) => Bound;
}

/** Where an expression stands. */
export interface Place {
  readonly world: World;
  readonly scope: Scope;
  /** Before the names of symbols: empty in the flow that is asked about. */
  readonly prefix: string;
}
