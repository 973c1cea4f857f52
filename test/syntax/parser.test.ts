/** What programs mean: precedence, the one rule for braces, where lines end, what annotations and docs belong to. */
import { describe, expect, test } from "vitest";
import type { Expr } from "../../src/syntax/ast.js";
import { children, pathTo, walk } from "../../src/syntax/walk.js";
import { examples, meaning, read, readExpression } from "../support/syntax.js";

/** An expression with every pair of brackets that its tree has. */
function shape(e: Expr): string {
  switch (e.kind) {
    case "Binary":
      return `(${shape(e.left)} ${e.op} ${shape(e.right)})`;
    case "Unary":
      return `(${e.op}${shape(e.operand)})`;
    case "Cast":
      return `(${shape(e.value)} as ${e.type.kind === "NamedType" ? e.type.name.text : e.type.kind})`;
    case "Pipe":
      return `(${shape(e.left)} |> ${e.stage.annotations.map((a) => `@${a.name.text} `).join("")}${e.stage.callee.text})`;
    case "Call":
      return `${shape(e.callee)}(${e.args.map((a) => shape(a.value)).join(", ")})`;
    case "Member":
      return `${shape(e.object)}${e.optional ? "?." : "."}${e.name.text}`;
    case "Index":
      return `${shape(e.object)}[${shape(e.index)}]`;
    case "Annotated":
      return `<${e.annotations.map((a) => `@${a.name.text}`).join(" ")} ${shape(e.inner)}>`;
    case "Lambda":
      return `(${e.params.map((p) => p.text).join(", ")} => ${shape(e.body)})`;
    case "NameExpr":
      return e.name;
    case "Number":
      return e.raw;
    default:
      return e.kind;
  }
}

describe("an expression", () => {
  test.each([
    ["a + b * c - d", "((a + (b * c)) - d)"],
    ["a ?? b + c == d", "((a ?? (b + c)) == d)"],
    ["a == b && c || d && !e", "(((a == b) && c) || (d && (!e)))"],
    ["-a as float * b", "(((-a) as float) * b)"],
    ["a || b |> f |> g", "(((a || b) |> f) |> g)"],
    ["a % 2 == 80%", "((a % 2) == 80%)"],
    ["f(x => x.a |> g)", "f((x => (x.a |> g)))"],
    ["a\n  + b\n  |> f", "((a + b) |> f)"],
    ["a.b?.c[0](1)", "a.b?.c[0](1)"],
    ["@retry F(x).items", "<@retry F(x)>.items"],
    ["@retry x.f(1).g(2)", "<@retry x.f(1)>.g(2)"],
    ["@parallel map x in xs { x } |> flatten", "(<@parallel Map> |> flatten)"],
    ["x |> @timeout F", "(x |> @timeout F)"],
    ["-@retry F(1) + 2", "((-<@retry F(1)>) + 2)"],
    ["(a + b) * c", "((a + b) * c)"],
  ])("%j is %s", (text, wanted) => {
    expect(shape(readExpression(text))).toBe(wanted);
  });

  test.each([
    ["{}", "Record"],
    ["{ a: 1 }", "Record"],
    ["{ a, b }", "Record"],
    ["{ ...a }", "Record"],
    ['{ "a b": 1 }', "Record"],
    ["{ a }", "Block"],
    ["{ a(1) }", "Block"],
    ["{ a\n b }", "Block"],
  ])("%j is a %s", (text, kind) => {
    expect(readExpression(text).kind).toBe(kind);
  });

  test.each([
    ["10_000", 10_000, "int"],
    ["200k", 200_000, "int"],
    ["1.5k", 1500, "int"],
    ["0.5", 0.5, "float"],
    ["80%", 0.8, "percent"],
    ["2.3s", 2300, "duration"],
    ["250ms", 250, "duration"],
    ["1h", 3_600_000, "duration"],
    ["$0.05", 0.05, "money"],
  ])("%s is %d (%s)", (text, value, unit) => {
    expect(readExpression(text)).toMatchObject({ kind: "Number", value, unit });
  });

  test("10/s is a rate as an argument of @rate, and a division elsewhere", () => {
    expect(readExpression("@rate(10/s) f()")).toMatchObject({
      annotations: [{ args: [{ value: { kind: "Number", unit: "rate", value: 10, raw: "10/s" } }] }],
    });
    expect(readExpression("f(10/s)")).toMatchObject({ args: [{ value: { kind: "Binary" } }] });
  });

  test("a / opens a regular expression only after ( and ,", () => {
    expect(readExpression("f(/a b/, /[/]/)")).toMatchObject({
      args: [{ value: { kind: "Regex", source: "a b" } }, { value: { source: "[/]" } }],
    });
    expect(shape(readExpression("a / b / c"))).toBe("((a / b) / c)");
  });
});

describe("a line", () => {
  test("that begins with ( [ { - or @ begins something new", () => {
    const { module, found } = read("flow f() {\n  a\n  (b)\n  a\n  [b]\n  a\n  -b\n  a\n  @x b\n  a\n  { c: 1 }\n}\n");
    expect(found).toEqual([]);
    expect(module.declarations[0]).toMatchObject({ body: { statements: { length: 10 } } });
  });

  test("may replace a comma between fields, properties, branches and arms", () => {
    const { found } = read(
      "type A = {\n  a: int\n  b: int\n}\nlet B = fork {\n  x: 1\n  y: 2\n}\nlet C = match x {\n  1 => 2\n  _ => 3\n}\n",
    );
    expect(found).toEqual([]);
  });

  test("begins a field whose name is a reserved word, not an operator", () => {
    const { module, found } = read("let A = {\n  x: a\n  as: b\n  if: c\n  else: d\n}\n");
    expect(found).toEqual([]);
    expect(module.declarations[0]).toMatchObject({ value: { kind: "Record", entries: { length: 4 } } });
  });
});

describe("/// lines", () => {
  test("belong to the declaration, field, parameter, let, property or member that follows", () => {
    const { module, found } = read(
      [
        "/// the type",
        "/// of it",
        "type A = {",
        "  /// a field",
        '  a: "x" |',
        "    /// a member",
        '    "y"',
        "}",
        "/// the flow",
        "@budget($1)",
        "flow f(",
        "  /// a parameter",
        "  x: int,",
        ") {",
        "  /// a let",
        "  let y = x",
        "  y",
        "}",
        "agent G() -> string {",
        "  /// a property",
        "  model: m",
        "}",
      ].join("\n"),
    );
    expect(found).toEqual([]);
    expect(module.declarations).toMatchObject([
      { doc: "the type\nof it", type: { fields: [{ doc: "a field", type: { members: [{}, { doc: "a member" }] } }] } },
      { doc: "the flow", signature: { params: [{ doc: "a parameter" }] }, body: { statements: [{ doc: "a let" }, {}] } },
      { properties: [{ doc: "a property" }] },
    ]);
  });

  test("at the end of a line document nothing, and say so", () => {
    const { module, found } = read("type A = {\n  a: int /// of a?\n  b: int\n}\n");
    expect(found.map((p) => [p.code, p.severity])).toEqual([["W0156", "warning"]]);
    expect(module.declarations).toMatchObject([{ type: { fields: [{ doc: undefined }, {}] } }]);
  });
});

describe("the examples", () => {
  test.each(examples().map(({ path, text }) => [path, text] as const))("%s parses", (_, text) => {
    expect(read(text).found).toEqual([]);
  });
});

describe("names", () => {
  test("may be any word that is not reserved", () => {
    const { found } = read(
      "flow model(prompt: int, state: int, test: int, by: int, on: int, type: int, in: int, up: int) {\n  let value = prompt\n  let then = by + on\n  value\n}\n",
    );
    expect(found).toEqual([]);
  });
  test("of fields, properties, arguments and keys may be reserved", () => {
    expect(read("let A = f(map: 1, if: 2).next.as ?? { let: 1, send: 2 }\ntype B = { ask: int, null: int }\n").found).toEqual([]);
  });
});

describe("spans", () => {
  test("of the parts of a tree lie inside those of the whole, in the order of the source", () => {
    for (const { text } of examples()) {
      walk(read(text).module, (node) => {
        const below = children(node);
        for (const [i, child] of below.entries()) {
          expect(child.span.start, text.slice(node.span.start, node.span.end)).toBeGreaterThanOrEqual(node.span.start);
          expect(child.span.end).toBeLessThanOrEqual(node.span.end);
          expect(child.span.start).toBeGreaterThanOrEqual(below[i - 1]?.span.start ?? 0);
        }
      });
    }
  });

  test("say what text a node is", () => {
    const text = "flow f() { (a + b) * g(x).y as int }";
    const { module } = read(text);
    const at = (offset: number) => pathTo(module, offset).map((n) => text.slice(n.span.start, n.span.end));
    expect(at(text.indexOf("a +"))).toContain("a + b");
    expect(at(text.indexOf("a +"))).toContain("(a + b) * g(x).y as int");
    expect(at(text.indexOf("x)"))).toContain("g(x).y");
  });
});

describe("closing brackets of types", () => {
  test("may touch each other and an equals sign", () => {
    expect(read("let A: map<map<int>>= b\n").found).toEqual([]);
    expect(meaning(read("let A: map<map<int>>= b\n").module)).toEqual(meaning(read("let A: map<map<int> > = b\n").module));
  });
});
