/**
 * What calling something can reach. A tool says so itself (`effect`, `@reads`); everything else is the strongest of what
 * it refers to: an agent its tools, a flow what its body names, a channel and `set` the state of the run. Also here: the
 * search for circles in the graph of references, which a program must not have.
 */
import type { Span } from "../source/source.js";
import type { Annotation, Declaration, PolicyDecl } from "../syntax/ast.js";
import { children, type Node } from "../syntax/walk.js";
import { expandPolicy } from "./annotations.js";
import type { Checker } from "./checker.js";
import { type DeclSymbol, isCallableDecl, type ModuleScope } from "./symbols.js";
import type { EffectKind } from "./types.js";

const ORDER: Readonly<Record<EffectKind, number>> = { none: 0, reads: 1, effect: 2 };

export function strongest(a: EffectKind, b: EffectKind): EffectKind {
  return ORDER[a] >= ORDER[b] ? a : b;
}

/** What calling the symbol can reach; known for each symbol once. */
export function effectOfSymbol(c: Checker, symbol: DeclSymbol): EffectKind {
  const known = c.tables.effects.get(symbol);
  if (known !== undefined) return known;
  c.tables.effects.set(symbol, "none"); // a circle adds nothing; it is reported elsewhere
  const effect = effectOfDecl(c, symbol, symbol.decl);
  c.tables.effects.set(symbol, effect);
  return effect;
}

function effectOfDecl(c: Checker, symbol: DeclSymbol, decl: Declaration): EffectKind {
  if (!isCallableDecl(decl)) return "none";
  switch (decl.kind) {
    case "ToolDecl":
      if (decl.effect) return "effect";
      return decl.annotations.some((a) => a.name.text === "reads") ? "reads" : "none";
    case "ChannelDecl":
      return "effect";
    case "CapabilityDecl": {
      let out: EffectKind = "none";
      for (const other of implementations(c, symbol)) out = strongest(out, effectOfSymbol(c, other));
      return out;
    }
    case "AgentDecl": {
      let out: EffectKind = "none";
      for (const property of decl.properties)
        if (property.name.text === "tools") out = strongest(out, effectOfNode(c, symbol.scope, property.value));
      return out;
    }
    case "FlowDecl":
      return strongest(effectOfNode(c, symbol.scope, decl.body), effectOfAnnotations(c, symbol, decl.annotations));
    case "ComposeDecl": {
      let out: EffectKind = "none";
      for (const stage of decl.stages) out = strongest(out, effectOfNode(c, symbol.scope, stage));
      return out;
    }
  }
}

/** Callables that declare to implement a capability, in the files of the program. */
export function implementations(c: Checker, capability: DeclSymbol): readonly DeclSymbol[] {
  const out: DeclSymbol[] = [];
  for (const scope of c.resolved.scopes) {
    for (const symbol of scope.names.values()) {
      if (symbol.scope !== scope || !isCallableDecl(symbol.decl) || !("signature" in symbol.decl)) continue;
      const name = symbol.decl.signature.implements?.text;
      if (name !== undefined && scope.names.get(name) === capability) out.push(symbol);
    }
  }
  return out;
}

/** The strongest effect of anything named inside a node of a file. */
export function effectOfNode(c: Checker, scope: ModuleScope, node: Node): EffectKind {
  let out: EffectKind = "none";
  const stack: Node[] = [node];
  while (stack.length > 0 && out !== "effect") {
    const next = stack.pop();
    if (next === undefined) break;
    stack.push(...children(next));
    if (!("kind" in next)) continue;
    switch (next.kind) {
      case "Set":
      case "Send":
        return "effect";
      case "NameExpr":
        out = strongest(out, effectOfName(c, scope, next.name));
        break;
      case "Stage":
        out = strongest(out, effectOfName(c, scope, next.callee.text));
        break;
      default:
        break;
    }
  }
  return out;
}

/**
 * Names of the effects that calling something can reach and that may not be repeated: neither `@idempotent` nor inside an
 * agent or flow that runs under `@isolate`.
 */
export function unrepeatable(c: Checker, symbol: DeclSymbol, seen: Set<DeclSymbol> = new Set()): readonly string[] {
  if (seen.has(symbol) || effectOfSymbol(c, symbol) !== "effect") return [];
  seen.add(symbol);
  const { decl } = symbol;
  if (!isCallableDecl(decl)) return [];
  const has = (name: string) => inForce(decl.annotations, c.policies(symbol.scope)).some((a) => a === name);
  if (has("isolate") || has("idempotent")) return [];
  if (decl.kind === "ToolDecl" || decl.kind === "ChannelDecl") return [symbol.name];
  const out: string[] = decl.kind === "CapabilityDecl" ? implementations(c, symbol).flatMap((s) => unrepeatable(c, s, seen)) : [];
  const roots: readonly Node[] =
    decl.kind === "AgentDecl"
      ? decl.properties.filter((p) => p.name.text === "tools")
      : decl.kind === "FlowDecl"
        ? [decl.body]
        : decl.kind === "ComposeDecl"
          ? decl.stages
          : [];
  for (const root of roots) out.push(...unrepeatableIn(c, symbol.scope, root, seen));
  return [...new Set(out)];
}

/** The same for anything named inside a node of a file. */
export function unrepeatableIn(c: Checker, scope: ModuleScope, root: Node, seen: Set<DeclSymbol> = new Set()): readonly string[] {
  const out: string[] = [];
  const stack: Node[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    stack.push(...children(node));
    if (!("kind" in node)) continue;
    const name = node.kind === "NameExpr" ? node.name : node.kind === "Stage" ? node.callee.text : undefined;
    const target = name === undefined ? undefined : scope.names.get(name);
    if (target !== undefined) out.push(...unrepeatable(c, target, seen));
    if (node.kind === "Set") out.push(`set ${node.name.text}`);
    if (node.kind === "Send") out.push(`send ${node.channel.text}`);
  }
  return out;
}

/** Names of the annotations in force, those of bundles included. */
function inForce(annotations: readonly Annotation[], policies: ReadonlyMap<string, PolicyDecl>): readonly string[] {
  return annotations.flatMap((a) => {
    const policy = policies.get(a.name.text);
    return policy === undefined ? [a.name.text] : expandPolicy(policy, policies).map((held) => held.name.text);
  });
}

function effectOfName(c: Checker, scope: ModuleScope, name: string): EffectKind {
  const symbol = scope.names.get(name);
  if (symbol === undefined) return "none";
  if (symbol.decl.kind === "StateDecl") return "reads";
  return isCallableDecl(symbol.decl) ? effectOfSymbol(c, symbol) : "none";
}

function effectOfAnnotations(c: Checker, owner: DeclSymbol, annotations: readonly Annotation[]): EffectKind {
  let out: EffectKind = "none";
  for (const a of annotations) {
    if (a.name.text === "fallback") for (const arg of a.args ?? []) out = strongest(out, effectOfNode(c, owner.scope, arg.value));
  }
  return out;
}

/** Circles in the graph of references among callables, each once, with a reference that closes it. */
export function referenceCycles(
  references: ReadonlyMap<DeclSymbol, ReadonlyMap<DeclSymbol, Span>>,
): readonly { readonly names: readonly string[]; readonly span: Span }[] {
  const found: { names: readonly string[]; span: Span }[] = [];
  const done = new Set<DeclSymbol>();
  const path: DeclSymbol[] = [];
  const onPath = new Set<DeclSymbol>();
  // Depth first with an explicit stack: chains of callables may be long.
  for (const start of references.keys()) {
    if (done.has(start)) continue;
    const stack: { symbol: DeclSymbol; edges: Iterator<[DeclSymbol, Span]> }[] = [];
    const enter = (symbol: DeclSymbol): void => {
      path.push(symbol);
      onPath.add(symbol);
      stack.push({ symbol, edges: (references.get(symbol) ?? new Map<DeclSymbol, Span>()).entries()[Symbol.iterator]() });
    };
    enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top === undefined) break;
      const next = top.edges.next();
      if (next.done === true) {
        stack.pop();
        path.pop();
        onPath.delete(top.symbol);
        done.add(top.symbol);
        continue;
      }
      const [target, span] = next.value;
      if (onPath.has(target)) {
        const names = [...path.slice(path.indexOf(target)), target].map((s) => s.name);
        found.push({ names, span });
      } else if (!done.has(target)) enter(target);
    }
  }
  return found;
}
