/**
 * Marks the functions of a bundle to be compiled when it is loaded. An engine first only skims a function and compiles it
 * when it is called, one by one: for a program that runs once and uses most of what it loads that costs more than it
 * saves, and what is compiled late is in no compile cache. The mark is a pair of parentheses around a function; function
 * declarations become variables at the start of what they are in, where they had their values before, too.
 */
import { type AnyNode, type ArrowFunctionExpression, type FunctionDeclaration, type FunctionExpression, type Program, parse } from "acorn";

type Callable = ArrowFunctionExpression | FunctionDeclaration | FunctionExpression;

interface Place {
  readonly node: Callable;
  /** A declaration directly in the body of the function or module around it. */
  readonly declared: boolean;
  /** A function that can stand in parentheses, unlike a method. */
  readonly free: boolean;
}

/** The same program with its functions marked. */
export function eager(source: string): string {
  const program = parse(source, { ecmaVersion: "latest", sourceType: "module" });
  return marked(source, program, program.body, program.start);
}

/** The text of a module or function with what is inside marked; declarations in its body move to where the body starts. */
function marked(source: string, of: Program | Callable, body: readonly AnyNode[], bodyStart: number): string {
  const declarations: string[] = [];
  let out = "";
  let at = of.start;
  let head: number | undefined;
  const take = (to: number): void => {
    if (head === undefined && to >= bodyStart) {
      out += source.slice(at, bodyStart);
      head = out.length;
      at = bodyStart;
    }
    out += source.slice(at, to);
  };
  for (const { node, declared, free } of functionsIn(of, body)) {
    take(node.start);
    const { body: inner } = node;
    const text = inner.type === "BlockStatement" ? marked(source, node, inner.body, inner.start + 1) : marked(source, node, [], node.end);
    if (declared) declarations.push(`${node.id?.name ?? ""}=(${text})`);
    else out += free ? `(${text})` : text;
    at = node.end;
  }
  take(of.end);
  if (declarations.length === 0) return out;
  return `${out.slice(0, head)}var ${declarations.join(",")};${out.slice(head)}`;
}

/** The functions that are directly in another one or in a module, in the order of the text. */
function functionsIn(of: Program | Callable, body: readonly AnyNode[]): readonly Place[] {
  const found: Place[] = [];
  const visit = (node: AnyNode, parent: AnyNode | undefined): void => {
    if (node !== of && isFunction(node)) {
      const declared = node.type === "FunctionDeclaration";
      const method = parent?.type === "MethodDefinition" || (parent?.type === "Property" && (parent.method || parent.kind !== "init"));
      found.push({ node, declared: declared && body.includes(node), free: !declared && !method });
      return;
    }
    for (const value of Object.values(node) as unknown[]) {
      if (Array.isArray(value)) for (const each of value as unknown[]) if (isNode(each)) visit(each, node);
      if (isNode(value)) visit(value, node);
    }
  };
  visit(of, undefined);
  return found.sort((a, b) => a.node.start - b.node.start);
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function isFunction(node: AnyNode): node is Callable {
  return node.type === "FunctionDeclaration" || node.type === "FunctionExpression" || node.type === "ArrowFunctionExpression";
}
