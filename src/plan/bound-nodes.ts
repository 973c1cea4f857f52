/**
 * Bounds of bodies and nodes. What may be paid on the way adds up: everything in a sequence, all branches of a fork or
 * race, a loop's rounds, a vote's runs, a map's items. Only of the branches of `if` and `match` one is paid. Nodes that
 * nothing needs never run and cost nothing.
 */
import { type Count, isNumber, isOpen, larger, plus, symbol, times } from "./bound-algebra.js";
import { add, addNumbers, type Bound, both, multiply, multiplyNumbers, NO_BOUND, NOTHING, oneOfBounds, perhaps } from "./bound-amounts.js";
import { handlersOf } from "./bound-calls.js";
import { boundBy, scopeIn, shapeOf } from "./bound-expressions.js";
import { groupCalls } from "./bound-groups.js";
import { evidenceOf, FAILURE, partialOf, withFields } from "./bound-outcomes.js";
import { underPolicies } from "./bound-policies.js";
import { ANY, itemsOf, join, listOf, meet, NULL, number, oneOf, rangeOf, type Shape, sameShape, shapeOfType } from "./bound-sizes.js";
import { amountText } from "./bound-text.js";
import type { Evaluated, Part, Place } from "./bound-world.js";
import type { Body, ExprIR, NodeIR, SizeIR } from "./ir.js";
import { expressionText } from "./text.js";
import { neededNodes } from "./walk.js";

/** The bound of a body in a scope, and the shape of its value. Its nodes' shapes are added to the scope. */
export function bodyBound(body: Body, place: Place): Evaluated {
  const { scope } = place;
  let most = NOTHING as Bound["most"];
  let least = NOTHING;
  let keep = NOTHING;
  let longest: Count = 0;
  let shortest = 0;
  const parts: Part[] = [];
  const ends = new Map<string, Bound["time"]>();
  for (const node of neededNodes(body)) {
    const { bound, shape, part } = nodeBound(node, place);
    scope.names.set(node.id, shape);
    if (part !== undefined) parts.push(part);
    if (bound !== NO_BOUND) {
      most = add(most, bound.most);
      least = addNumbers(least, bound.least);
      keep = addNumbers(keep, bound.keep);
    }
    let start: Count = 0;
    let first = 0;
    for (const before of [node.deps, node.after]) {
      for (const id of before) {
        const end = ends.get(id);
        if (end === undefined) continue;
        start = larger(start, end.most);
        first = Math.max(first, end.least);
      }
    }
    const end = { most: plus(start, bound.time.most), least: first + bound.time.least };
    ends.set(node.id, end);
    longest = larger(longest, end.most);
    shortest = Math.max(shortest, end.least);
  }
  const bound = parts.length === 0 && longest === 0 ? NO_BOUND : { most, least, keep, time: { most: longest, least: shortest } };
  return { bound, shape: shapeOf(body.result, scope), parts };
}

interface NodeResult {
  readonly bound: Bound;
  readonly shape: Shape;
  readonly part: Part | undefined;
  /** What `@reserve` adds to what is kept back. */
  readonly extra: number;
  /** Of a region: one item, run or step. */
  readonly one: Bound;
}

/** The bound of a node with its policies, and the shape of its value. */
export function nodeBound(node: NodeIR, place: Place): NodeResult {
  const { types } = place.scope;
  if (node.kind === "value")
    return { bound: NO_BOUND, shape: meet(shapeOf(node.value, place.scope), node.type, types), part: undefined, extra: 0, one: NO_BOUND };
  if (node.kind === "call") return callNode(node, place);
  const region = regionBound(node, place);
  const shape = meet(region.shape, node.type, types);
  const made = underPolicies({ ...region, shape }, [{ policies: node.policies, scope: place.scope }], place, {
    name: region.title,
    span: node.span,
  });
  const empty = made.bound === NO_BOUND || (made.parts.length === 0 && made.bound.most === NOTHING);
  return {
    bound: made.bound,
    shape,
    extra: made.extra,
    one: region.one ?? NO_BOUND,
    part: empty
      ? undefined
      : {
          title: region.title,
          notes: [...region.notes, ...made.notes],
          times: times(region.times, made.attempts),
          span: node.span,
          bound: made.bound,
          parts: made.parts,
        },
  };
}

function callNode(node: Extract<NodeIR, { kind: "call" }>, place: Place): NodeResult {
  const args = new Map(node.args.map((arg) => [arg.param, shapeOf(arg.value, place.scope)]));
  const made = place.world.call(node.callee, args, node.policies, place, node.span);
  const shape = meet(made.shape, node.type, place.scope.types);
  return { bound: made.bound, shape, part: made.part, extra: made.extra, one: NO_BOUND };
}

interface Region extends Evaluated {
  /** One item, run or step. */
  readonly one?: Bound;
  readonly title: string;
  readonly notes: readonly string[];
  /** How often its parts run. */
  readonly times: Count;
}

const region = (title: string, of: Evaluated, notes: readonly string[] = [], often: Count = 1): Region => ({
  ...of,
  title,
  notes,
  times: often,
});

const NO_PARTS: readonly Part[] = [];
const nothing = (title: string, shape: Shape): Region => region(title, { bound: NO_BOUND, shape, parts: NO_PARTS });

function regionBound(node: Exclude<NodeIR, { kind: "value" | "call" }>, place: Place): Region {
  const { scope } = place;
  const inside = (names: readonly (readonly [string, Shape])[] = []): Place => ({ ...place, scope: scopeIn(scope, names) });
  switch (node.kind) {
    case "map":
      return mapBound(node, place);
    case "fork": {
      const branches = node.branches.map((branch) => ({ name: branch.name, ...bodyBound(branch.body, inside()) }));
      const all = branches.reduce<Bound>((out, each) => both(out, each.bound, true), NO_BOUND);
      const required = requiredOf(node, place, branches.length, node.settle);
      const bound =
        required >= branches.length
          ? all
          : {
              ...all,
              ...cheapest(
                branches.map((each) => each.bound),
                required,
              ),
            };
      const fields = new Map(branches.map((each) => [each.name, node.settle ? ANY : each.shape]));
      return region("fork", { bound, shape: { kind: "record", fields }, parts: branches.flatMap((each) => branchPart(each.name, each)) });
    }
    case "race": {
      const branches = node.branches.map((branch) => ({ name: branch.name, ...bodyBound(branch.body, inside()) }));
      const all = branches.reduce<Bound>((out, each) => both(out, each.bound, true), NO_BOUND);
      const one = oneOfBounds(branches.map((each) => each.bound));
      const bound = { ...all, least: one.least, keep: one.keep, time: { most: all.time.most, least: one.time.least } };
      return region(
        "race",
        { bound, shape: oneOf(branches.map((each) => each.shape)), parts: branches.flatMap((each) => branchPart(each.name, each)) },
        ["every branch may be paid"],
      );
    }
    case "vote": {
      const runs = countOf(node.times, place);
      const body = bodyBound(node.body, inside());
      const required = requiredOf(node, place, runs.min, true);
      const chain = turnsOf(runs.max, limitOf(node, place), false);
      const bound = repeated(body.bound, runs.max, Math.max(1, required), chain);
      const shape = evidenceOf(shapeOfType(node.type, scope.types), body.shape, runs.max);
      return { ...region("vote", { bound, shape, parts: body.parts }, [`${amountText(runs.max)} runs`], runs.max), one: body.bound };
    }
    case "loop": {
      const rounds = countOf(node.times, place);
      const { body } = settled(shapeOf(node.init, scope), node, (state) => bodyBound(node.body, inside([[node.state, state]])), place);
      const bound = repeated(body.bound, rounds.max, 0, rounds.max);
      return region(`loop ${plain(node.state)}`, { ...body, bound }, [`at most ${amountText(rounds.max)} rounds`], rounds.max);
    }
    case "reduce":
      return reduceBound(node, place);
    case "fold": {
      const items = sized(shapeOf(node.over, scope), undefined, node.over, place);
      const start = shapeOf(node.start, scope);
      const { body } = settled(
        start,
        node,
        (acc) =>
          bodyBound(
            node.body,
            inside([
              [node.acc, acc],
              [node.item, items.of],
            ]),
          ),
        place,
      );
      return region(
        "fold",
        { ...body, bound: repeated(body.bound, items.max, items.min, items.max) },
        [`${amountText(items.max)} items`],
        items.max,
      );
    }
    case "if": {
      const then = bodyBound(node.then, inside());
      const otherwise = bodyBound(node.else, inside());
      const parts = [...branchPart("then", then), ...branchPart("else", otherwise)];
      return region(
        `if ${expressionText(node.test, NO_NAMES)}`,
        { bound: oneOfBounds([then.bound, otherwise.bound]), shape: join(then.shape, otherwise.shape), parts },
        parts.length > 1 ? ["one of these"] : [],
      );
    }
    case "match": {
      const value = shapeOf(node.value, scope);
      const arms = node.arms.map((arm) => ({ name: arm.name, ...bodyBound(arm.body, inside(boundBy(arm.patterns, value))) }));
      return region(
        `match ${expressionText(node.value, NO_NAMES)}`,
        {
          bound: oneOfBounds(arms.map((arm) => arm.bound)),
          shape: oneOf(arms.map((arm) => arm.shape)),
          parts: arms.flatMap((arm) => branchPart(arm.name, arm)),
        },
        ["one of these"],
      );
    }
    case "try": {
      const tried = bodyBound(node.body, inside());
      const recover = bodyBound(node.recover, inside([[node.error, node.partial ? partialOf(tried.shape) : FAILURE]]));
      return region("try", {
        bound: perhaps(tried.bound, recover.bound),
        shape: join(tried.shape, recover.shape),
        parts: [...tried.parts, ...branchPart("recover", recover)],
      });
    }
    case "scope":
      return region("block", bodyBound(node.body, inside()));
    case "ask": {
      const otherwise = node.otherwise === undefined ? undefined : bodyBound(node.otherwise, inside());
      const answer = shapeOfType(node.answer, scope.types);
      if (otherwise === undefined) return nothing("ask", answer);
      return region("ask", { bound: perhaps(NO_BOUND, otherwise.bound), shape: join(answer, otherwise.shape), parts: otherwise.parts });
    }
    case "set":
      return region(`set ${node.state}`, handlersOf("state", node.state, shapeOf(node.value, scope), place));
    case "send":
      return region(`send ${node.channel}`, handlersOf("channel", node.channel, shapeOf(node.value, scope), place));
    case "read":
      return nothing("read", shapeOfType(node.type, scope.types));
    case "assert":
    case "stop":
      return nothing(node.kind, NULL);
    case "orchestrate": {
      const open = Number.POSITIVE_INFINITY;
      const most = { calls: open, toolCalls: open, requests: open, inputTokens: open, outputTokens: open, cost: open };
      const planner = { ...NOTHING, requests: 1 };
      return region(
        "orchestrate",
        {
          bound: { most, least: planner, keep: planner, time: { most: open, least: 0 } },
          shape: shapeOfType(node.type, scope.types),
          parts: NO_PARTS,
        },
        ["its budget is its bound"],
      );
    }
  }
}

const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** Part of a region that has a name, where it costs something. */
function branchPart(name: string, of: Evaluated): readonly Part[] {
  const [first] = of.parts;
  if (first === undefined) return [];
  return [{ title: name, notes: [], times: 1, span: first.span, bound: of.bound, parts: of.parts }];
}

function mapBound(node: Extract<NodeIR, { kind: "map" }>, place: Place): Region {
  const { scope } = place;
  const items = sized(shapeOf(node.over, scope), node.size, node.over, place, node.item);
  const least = node.where === undefined ? items.min : 0;
  const names: (readonly [string, Shape])[] = [[node.item, items.of]];
  if (node.index !== undefined) names.push([node.index, number(0, items.max)]);
  if (node.giving !== undefined) {
    const of = node.type.kind === "list" ? shapeOfType(node.type.of, scope.types) : ANY;
    names.push([node.giving, listOf(of, 0, items.max)]);
  }
  const body = bodyBound(node.body, { ...place, scope: scopeIn(scope, names) });
  const required = requiredOf(node, place, least, node.settle);
  const bound = repeated(body.bound, items.max, required, turnsOf(items.max, limitOf(node, place), node.needs !== undefined));
  const value = node.settle
    ? withFields(shapeOfType(node.type, scope.types), [["ok", listOf(body.shape, required, items.max)]])
    : listOf(body.shape, node.policies.minSuccess === undefined ? least : required, items.max);
  const title = `map ${plain(node.item)}${node.size === undefined ? "" : ` in ${node.size.symbol}`}`;
  return { ...region(title, { bound, shape: value, parts: body.parts }, [`${amountText(items.max)} items`], items.max), one: body.bound };
}

/** A name as it was written, without what makes it unique. */
const plain = (id: string): string => id.replace(/#\d+$/, "");

function limitOf(node: Extract<NodeIR, { kind: "map" | "vote" }>, place: Place): Count | undefined {
  return node.policies.parallel === undefined ? undefined : countOf(node.policies.parallel.max, place).max;
}

/** How many items go one after the other, when so many may run at once. */
function turnsOf(items: Count, limit: Count | undefined, chained: boolean): Count {
  if (chained) return items;
  if (limit === undefined || !isNumber(limit)) return isNumber(items) ? Math.min(1, items) : 1;
  return isNumber(items) ? Math.ceil(items / limit) : plus(times(items, 1 / limit), 1);
}

/** The items of a list; one of unknown length gets a symbol, named as people call the list. */
function sized(
  shape: Shape,
  size: SizeIR | undefined,
  over: ExprIR,
  place: Place,
  item?: string,
): { readonly of: Shape; readonly min: number; readonly max: Count } {
  const { of, min, max } = itemsOf(shape);
  const least = Math.max(min, size?.min ?? 0);
  if (!isOpen(max)) return { of, min: least, max: size?.max !== undefined && !isNumber(max) ? size.max : max };
  if (size?.max !== undefined) return { of, min: least, max: size.max };
  const written = size?.symbol ?? expressionText(over, NO_NAMES);
  // A list that has no name of its own is known by what its items are called.
  const name = item === undefined || /^[\w.]+$/.test(written) ? written : `${item}s`;
  return { of, min: least, max: symbol(`${place.prefix}${name}`) };
}

/** A count as an expression gives it. */
function countOf(expr: ExprIR, place: Place): { readonly min: number; readonly max: Count } {
  const { min, max } = rangeOf(shapeOf(expr, place.scope));
  return { min: Math.max(0, min), max: isNumber(max) ? Math.max(0, max) : max };
}

/** How many of so many must succeed. */
function requiredOf(node: Extract<NodeIR, { kind: "map" | "fork" | "vote" }>, place: Place, of: number, settle: boolean): number {
  const { minSuccess } = node.policies;
  if (minSuccess === undefined) return settle ? 0 : of;
  const { min } = rangeOf(shapeOf(minSuccess.value, place.scope));
  const least = Math.max(0, min);
  return Math.min(of, Math.ceil(minSuccess.share ? least * of - 1e-9 : least));
}

/** The cheapest so many of some. */
function cheapest(all: readonly Bound[], many: number): Pick<Bound, "least" | "keep"> {
  const by = (pick: (bound: Bound) => Bound["least"]): Bound["least"] =>
    [...all]
      .map(pick)
      .sort((a, b) => a.cost - b.cost || a.calls - b.calls)
      .slice(0, many)
      .reduce((out, each) => addNumbers(out, each), NOTHING);
  return { least: by((bound) => bound.least), keep: by((bound) => bound.keep) };
}

/** So many times at most and at least; `chain` of them one after the other. */
function repeated(bound: Bound, most: Count, least: number, chain: Count): Bound {
  if (bound === NO_BOUND) return NO_BOUND;
  return {
    most: multiply(bound.most, most),
    least: multiplyNumbers(bound.least, least),
    keep: multiplyNumbers(bound.keep, least),
    time: { most: times(bound.time.most, chain), least: least > 0 ? bound.time.least : 0 },
  };
}

/**
 * A body whose value becomes its own input. The shape of the state is what it starts with, joined with what the body
 * makes of it where that is stable; otherwise what its type says.
 */
function settled(
  start: Shape,
  node: { readonly type: NodeIR["type"] },
  run: (state: Shape) => Evaluated,
  place: Place,
): { readonly body: Evaluated; readonly state: Shape } {
  const first = run(start);
  const state = join(start, first.shape);
  if (sameShape(state, start)) return { body: { ...first, shape: state }, state };
  const second = run(state);
  if (sameShape(join(state, second.shape), state)) return { body: { ...second, shape: state }, state };
  const declared = shapeOfType(node.type, place.scope.types);
  return { body: { ...run(declared), shape: declared }, state: declared };
}

function reduceBound(node: Extract<NodeIR, { kind: "reduce" }>, place: Place): Region {
  const { scope } = place;
  const items = sized(shapeOf(node.over, scope), node.size, node.over, place);
  const group = node.groups === undefined ? undefined : countOf(node.groups, place);
  const [first = "", second = ""] = node.params;
  const { body } = settled(
    items.of,
    node,
    (state) =>
      bodyBound(node.body, {
        ...place,
        scope: scopeIn(
          scope,
          group === undefined
            ? [
                [first, state],
                [second, state],
              ]
            : [[first, listOf(state, 2, group.max)]],
        ),
      }),
    place,
  );
  // The smaller the groups, the more calls; the larger, the fewer must be paid.
  const size = group === undefined ? 2 : Math.max(2, group.min);
  const largest = group === undefined ? 2 : isNumber(group.max) ? Math.max(2, group.max) : Number.POSITIVE_INFINITY;
  const calls = groupCalls(items.max, size);
  const known = size === largest && items.min === items.max;
  const fewest = items.min <= 1 ? 0 : Number.isFinite(largest) ? Math.ceil((items.min - 1) / (largest - 1)) : 1;
  const least = known && isNumber(calls) ? calls : fewest;
  const depth: Count =
    isNumber(items.max) && Number.isFinite(items.max) ? Math.ceil(Math.log(Math.max(1, items.max)) / Math.log(size) - 1e-9) : calls;
  const shape = items.min > 0 ? body.shape : join(body.shape, NULL);
  return region(
    `reduce ${node.size?.symbol ?? ""}`.trim(),
    { ...body, bound: repeated(body.bound, calls, least, depth), shape },
    [`${amountText(calls)} calls over ${amountText(items.max)} items`],
    calls,
  );
}
