/**
 * Traversal of the tree that works for every node, now and later: a child is any object with a `kind` or any named part
 * (a parameter, a property, an arm …) found in the fields of a node. Order is that of the source. Walking keeps its own
 * stack, so long chains of operators cannot overflow it.
 */
import type { Span } from "../source/source.js";
import type {
  Annotation,
  Argument,
  Declaration,
  Expr,
  FieldType,
  Import,
  ImportedName,
  MatchArm,
  Module,
  Parameter,
  Pattern,
  Property,
  RecordEntry,
  Signature,
  Stage,
  Statement,
  StubStep,
  TestStatement,
  TypeNode,
} from "./ast.js";

/** Everything in the tree that has a place of its own. */
export type Node =
  | Module
  | Import
  | ImportedName
  | Declaration
  | Signature
  | Parameter
  | Property
  | Annotation
  | Argument
  | Stage
  | TypeNode
  | FieldType
  | Statement
  | TestStatement
  | StubStep
  | Expr
  | RecordEntry
  | MatchArm
  | Pattern;

const skipped: ReadonlySet<string> = new Set(["kind", "span", "opSpan", "comments", "runs", "name", "names", "raw"]);

function isNode(value: object): value is Node {
  return "span" in value && !("text" in value) && ("kind" in value || !("low" in value || "source" in value));
}

/** The nodes directly below a node, in the order of the source. Names are no nodes. */
export function children(node: Node): readonly Node[] {
  const found: Node[] = [];
  for (const field in node) {
    const value: unknown = node[field as keyof Node];
    if (typeof value !== "object" || value === null) continue;
    // The names of `expect order [...]` are expressions; every other `names` are plain.
    if (!skipped.has(field) || (field === "names" && "kind" in node && (node.kind === "ExpectOrder" || node.kind === "Import")))
      collect(value, found);
  }
  // Most fields stand in the order of the source already.
  for (let i = 1; i < found.length; i++) {
    if (startOf(found[i - 1]) > startOf(found[i])) return found.sort((x, y) => x.span.start - y.span.start);
  }
  return found;
}

const startOf = (node: Node | undefined): number => node?.span.start ?? 0;

function collect(value: object, found: Node[]): void {
  if (Array.isArray(value)) {
    for (const element of value) if (typeof element === "object" && element !== null) collect(element, found);
  } else if (isNode(value)) found.push(value);
  else for (const part of Object.values(value)) if (typeof part === "object" && part !== null) collect(part, found);
}

/** Visits a node and everything below it, parents first; a visitor that returns `false` keeps out of what is below. */
export function walk(node: Node, visit: (node: Node) => unknown): void {
  const open: Node[] = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (visit(next) === false) continue;
    const below = children(next);
    for (let i = below.length - 1; i >= 0; i--) {
      const child = below[i];
      if (child !== undefined) open.push(child);
    }
  }
}

/** The nodes that hold an offset, outermost first. */
export function pathTo(node: Node, offset: number): readonly Node[] {
  const path: Node[] = [];
  const holds = (span: Span) => span.start <= offset && offset <= span.end;
  for (let at: Node | undefined = node; at !== undefined; ) {
    path.push(at);
    const below: readonly Node[] = children(at);
    at = below.findLast((child) => holds(child.span));
  }
  return path;
}
