/**
 * Programs for property tests: every construct of the language, nested at random, with random white space, line breaks,
 * comments and redundant parentheses. They parse without a problem; whether they mean anything is not their concern.
 */
import fc from "fast-check";

type Source = fc.Arbitrary<string>;

const names = [
  "a",
  "b",
  "item",
  "x1",
  "state",
  "type",
  "model",
  "order",
  "by",
  "in_",
  "value",
  "long_name_of_something",
  "up",
  "to",
  "fails",
];
const name: Source = fc.constantFrom(...names);
const typeName: Source = fc.constantFrom("string", "int", "Finding", "Page", "float", "bool", "json");
const word: Source = fc.oneof(name, fc.constantFrom("map", "if", "next", "as", "send", "null"));
const space: Source = fc.oneof(
  { weight: 12, arbitrary: fc.constant(" ") },
  { weight: 2, arbitrary: fc.constant("  ") },
  { weight: 1, arbitrary: fc.constant(" /* note */ ") },
);
/** Between elements where a line break may stand. */
const gap: Source = fc.oneof(
  { weight: 8, arbitrary: fc.constant(" ") },
  { weight: 2, arbitrary: fc.constant("\n") },
  { weight: 1, arbitrary: fc.constant("\n\n\n   ") },
  { weight: 1, arbitrary: fc.constant(" // remark\n") },
  { weight: 1, arbitrary: fc.constant("\n // own line\n") },
);
const number: Source = fc.constantFrom("0", "42", "1_000", "0.5", "10k", "2M", "250ms", "30s", "2h", "$0.05", "$2", "80%");
const text: Source = fc.constantFrom(
  '"plain"',
  '""',
  '"a \\"quoted\\" \\n line \\u0041"',
  '"{{name}} and \\{{literal}}"',
  '"// no comment"',
  '"""\n      block {{a}}\n        deeper\n\n      "quoted"\n    """',
  '"""one line"""',
  '"""\n\ttab\n"""',
);
const lineText: Source = fc.constantFrom('"plain"', '"timeout"', '"a b"');
const bounds: Source = fc.constantFrom("1..5", "..20", "1..", "3", "-1..1", "0.5..1");

function seq(...parts: (string | Source)[]): Source {
  return fc.tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part))).map((made) => made.join(""));
}
function maybe(part: Source, otherwise = ""): Source {
  return fc.oneof(fc.constant(otherwise), part);
}
function listOf(part: Source, min: number, max: number, separator: Source): Source {
  return fc
    .tuple(fc.array(part, { minLength: min, maxLength: max }), fc.array(separator, { minLength: max, maxLength: max }))
    .map(([parts, separators]) => parts.map((p, i) => (i === 0 ? p : `${separators[i]}${p}`)).join(""));
}
const comma: Source = gap.map((g) => `,${g}`);
/** A comma or a line break. */
const separator: Source = fc.oneof(
  comma,
  fc.constant("\n"),
  fc.constant("\n\n"),
  fc.constant(" // end\n  "),
  fc.constant("\n /* own */\n"),
);
const newline: Source = fc.oneof(
  fc.constant("\n"),
  fc.constant("\n\n\n"),
  fc.constant(" // end\n"),
  fc.constant("\n  // own\n"),
  fc.constant("\n /* a\n b */\n"),
);

const grammar = fc.letrec<Record<string, string>>((tie) => {
  const t = (rule: string) => tie(rule) as Source;
  const args = (of: Source) => fc.oneof(fc.constant("()"), seq("(", maybe(fc.constant("\n")), listOf(of, 1, 3, comma), ")"));
  const argument = fc.oneof(
    { weight: 3, arbitrary: t("expr") },
    { weight: 1, arbitrary: seq(word, ": ", t("expr")) },
    { weight: 1, arbitrary: t("lambda") },
  );
  const fieldRef = seq(".", word, maybe(seq(".", word)));
  const braces = fc.oneof(t("record"), t("block"));
  return {
    // ------------------------------------------------------------------------------------------------- types
    type: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      typeName,
      seq(typeName, "(", bounds, ")"),
      fc.constant("string(/^[a-z(]+\\/$/)"),
      fc.constantFrom('"low"', "3", "-1", "true", "null"),
      seq(t("typeOne"), "[", maybe(bounds), "]"),
      seq(t("typeOne"), "?"),
      seq("map<", t("type"), ">"),
      seq("Page<", listOf(t("type"), 1, 2, fc.constant(", ")), ">"),
      seq(fc.constantFrom("secret ", "untrusted "), t("typeOne")),
      seq(
        "{",
        gap,
        listOf(
          seq(maybe(fc.constant("@redact ")), maybe(fc.constant("\n/// doc\n")), fc.oneof(word, lineText), ": ", t("type")),
          0,
          3,
          separator,
        ),
        gap,
        "}",
      ),
      seq("(", listOf(t("type"), 0, 2, comma), ") -> ", t("type")),
      seq("(", t("type"), ")"),
      seq(maybe(fc.constant("| ")), t("typeOne"), gap, "| ", maybe(fc.constant("\n/// doc\n")), t("typeOne")),
    ),
    typeOne: fc.oneof(
      { depthSize: "small" },
      typeName,
      fc.constantFrom('"low"', "3"),
      seq("(", t("type"), ")"),
      seq("map<", t("type"), ">"),
    ),
    // ------------------------------------------------------------------------------------------- expressions
    expr: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 4, arbitrary: t("primary") },
      { weight: 2, arbitrary: t("unary") },
      { weight: 2, arbitrary: seq(t("unary"), space, fc.constantFrom("+", "-", "*", "/", "%", "??", "&&", "||"), space, t("unary")) },
      { weight: 1, arbitrary: seq(t("unary"), " + ", t("unary"), gap, "* ", t("unary"), gap, "+ ", t("unary")) },
      {
        weight: 1,
        arbitrary: seq(t("unary"), space, fc.constantFrom("==", "!=", "<=", ">", ">="), space, t("unary"), " && ", t("unary")),
      },
      { weight: 1, arbitrary: seq("(", t("expr"), ") <", gap, t("unary")) },
      { weight: 1, arbitrary: seq(t("unary"), " as ", t("typeOne")) },
      { weight: 1, arbitrary: seq(t("unary"), " as ", t("typeOne"), " ?? ", t("unary")) },
      { weight: 2, arbitrary: seq(t("unary"), gap, "|> ", t("stage"), gap, "|> ", t("stage")) },
    ),
    stage: seq(maybe(t("annotation").map((a) => `${a} `)), name, maybe(args(fc.oneof(argument, fieldRef, seq(word, ": ", fieldRef))))),
    annotation: seq("@", fc.constantFrom("retry", "timeout", "parallel", "budget"), maybe(args(argument))),
    unary: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: t("primary") },
      seq(fc.constantFrom("!", "-"), t("primary")),
      seq(
        t("annotation"),
        maybe(gap, " ").map((g) => g || " "),
        t("primary"),
      ),
      seq(t("annotation"), " ", name, args(argument), ".", word, args(argument)),
      seq(t("annotation"), " ", name, ".", word),
      seq("(", t("annotation"), " ", name, ").", word, args(argument)),
      seq(t("annotation"), " ", t("annotation"), " (", t("expr"), ")"),
    ),
    primary: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: name },
      { weight: 2, arbitrary: number },
      { weight: 2, arbitrary: text },
      fc.constantFrom("true", "false", "null"),
      seq(name, args(argument)),
      seq(name, "(", fc.constant("/^[a-z/]+$/, /x\\/y/"), ")"),
      seq(t("primary"), fc.constantFrom(".", "?."), word),
      seq(name, "[", t("expr"), "]"),
      seq("(", gap, t("expr"), space, ")"),
      seq("(", t("lambda"), ")"),
      seq("[", gap, listOf(seq(maybe(fc.constant("...")), t("expr")), 0, 3, comma), gap, "]"),
      t("record"),
      t("block"),
      t("region"),
      t("region"),
    ),
    lambda: fc.oneof(
      seq(name, " => ", t("expr")),
      seq("(", name, ", ", name, ") => ", t("expr")),
      seq("() => ", t("expr")),
      seq(name, " => ", t("block")),
    ),
    record: fc.oneof(
      fc.constant("{}"),
      seq(
        "{",
        gap,
        fc.oneof(word, lineText),
        ": ",
        t("expr"),
        maybe(seq(separator, name)),
        maybe(seq(separator, "...", t("unary"))),
        gap,
        "}",
      ),
      seq("{ ...", t("unary"), maybe(seq(separator, word, ": ", t("expr"))), " }"),
      seq("{ ", name, ", ", name, " }"),
    ),
    block: seq("{", gap, maybe(seq(t("statement"), newline)), maybe(seq(t("statement"), newline)), t("last"), gap, "}"),
    // A block whose value is a name alone would read as a record when a comma or colon followed; none does.
    last: fc.oneof(t("expr"), seq("next ", t("expr")), seq("stop when ", t("expr"))),
    statement: fc.oneof(
      seq(maybe(fc.constant("/// doc\n")), "let ", name, maybe(seq(": ", t("type"))), " =", space, t("expr")),
      seq("let { ", name, ", ", name, " } = ", t("expr")),
      seq("set ", name, " = ", t("expr")),
      seq("assert ", t("expr"), maybe(seq(", ", t("expr")))),
      seq("stop when ", t("expr")),
      t("expr"),
    ),
    pattern: fc.oneof(
      { depthSize: "small" },
      lineText,
      fc.constantFrom("3", "-2", "1..5", "..3", "4..", "true", "false", "null", "_"),
      seq("{ ", word, ": ", t("pattern"), maybe(seq(separator, name)), " }"),
    ),
    region: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      seq("if ", t("expr"), space, braces, maybe(seq(gap, "else if ", t("expr"), " ", braces)), maybe(seq(gap, "else ", braces))),
      seq(
        "match ",
        t("expr"),
        " {",
        gap,
        listOf(seq(listOf(t("pattern"), 1, 2, fc.constant(" | ")), " => ", t("expr")), 1, 3, separator),
        gap,
        "}",
      ),
      seq("settle ", t("unary")),
      seq(
        "map ", name, maybe(seq(", ", name)), " in ", t("expr"), maybe(seq(" where ", t("expr"))), maybe(seq(" by ", t("expr"))),
        maybe(seq(" after ", t("expr"), maybe(seq(" giving ", name, ": ", t("type"))))), " ", braces,
      ), // biome-ignore format: the order of the grammar
      seq("fork {", gap, listOf(seq(fc.oneof(word, lineText), ": ", t("expr")), 1, 3, separator), gap, "}"),
      seq("race {", gap, listOf(t("expr"), 1, 3, separator), gap, "}"),
      seq("vote ", t("unary"), maybe(seq(" by ", t("lambda"))), maybe(seq(" early ", t("unary"))), " ", braces),
      seq("loop ", name, maybe(seq(": ", t("type"))), " = ", t("expr"), " up to ", t("expr"), " ", t("block")),
      seq("reduce ", t("expr"), maybe(seq(" in groups of ", t("unary"))), " with ", t("stage")),
      seq("try ", t("expr"), gap, "recover ", name, " ", braces),
      // What follows `else` goes as far as it can, so the parts before it are closed by themselves.
      seq(
        "ask ",
        fc.oneof(name, text, seq("(", t("expr"), ")")),
        " as ",
        t("typeOne"),
        maybe(seq(" within ", fc.oneof(number, seq("(", t("expr"), ")")), " else ", t("expr"))),
      ),
      seq("send ", name, args(argument)),
      seq("orchestrate", args(argument), " as ", t("typeOne")),
    ),
  };
});

const rule = (key: string): Source => (grammar as unknown as Record<string, Source>)[key] ?? fc.constant("");

/** One expression. */
export const expression: Source = rule("expr");
/** One type. */
export const type: Source = rule("type");

const parameter = seq(maybe(fc.constant("@redact ")), maybe(fc.constant("\n/// doc\n")), name, ": ", type, maybe(seq(" = ", expression)));
const signature = seq(name, maybe(fc.constant("<T, U>")), "(", maybe(listOf(parameter, 1, 3, comma)), ")");
const result = seq(" -> ", type);
const properties = seq("{", gap, listOf(seq(maybe(fc.constant("\n/// doc\n")), word, ": ", expression), 0, 3, separator), gap, "}");
const annotations = fc
  .array(fc.tuple(rule("annotation"), fc.constantFrom(" ", "\n", " // note\n")), { maxLength: 2 })
  .map((made) => made.map(([a, g]) => a + g).join(""));
const step = fc.oneof(
  seq("=> ", expression, maybe(fc.constant(" takes 5s")), maybe(fc.constant(" costs $0.01"))),
  seq("=> one_of [", listOf(expression, 1, 2, comma), "]"),
  seq('fails "timeout"', maybe(fc.constant(" times 2"))),
);
const testStatement = fc.oneof(
  seq(
    "stub ",
    fc.oneof(name, fc.constantFrom("ask", "orchestrate", "approve")),
    maybe(fc.constant("(_, x)")),
    " ",
    step,
    maybe(seq(gap, "then ", step)),
  ),
  seq("expect ", expression, maybe(fc.constant(' fails "timeout"'))),
  fc.constantFrom("expect order [a, b]", "crash after Page", "crash before Page"),
  rule("statement"),
);

/** One declaration. */
export const declaration: Source = seq(
  maybe(fc.constant("/// What it is for.\n")),
  annotations,
  fc.oneof(
    seq("type ", name, maybe(fc.constant("<T>")), " =", gap, type),
    seq("model ", name, " ", properties),
    seq("mcp ", name, " ", properties),
    seq(maybe(fc.constant("effect ")), "tool ", signature, maybe(result), maybe(fc.constant(" implements Cap")), " = ", expression),
    seq("agent ", signature, maybe(result), maybe(fc.constant(" implements Cap")), " ", properties),
    seq("flow ", signature, maybe(result), " ", fc.oneof(rule("block"), rule("record"))),
    seq("capability ", signature, result),
    seq(
      "compose ",
      name,
      " = ",
      listOf(
        rule("stage"),
        2,
        3,
        gap.map((g) => `${g}>> `),
      ),
    ),
    seq("policy ", name, " { ", listOf(rule("annotation"), 1, 3, gap), " }"),
    seq("let ", name, maybe(seq(": ", type)), " = ", expression),
    seq("state ", name, ": ", type, " = ", expression, " ", properties),
    seq("channel ", name, "(", type, ")", maybe(result)),
    seq("on ", name, maybe(seq(".", word)), "(", name, ") ", rule("block")),
    seq("test ", lineText, " {\n", listOf(testStatement, 0, 3, newline), "\n}"),
  ),
);
const importLine = seq("import { ", listOf(seq(name, maybe(seq(" as ", name))), 1, 3, comma), ' } from "./x.weave"');

/** A whole file. */
export const program: Source = fc
  .tuple(
    fc.array(importLine, { maxLength: 2 }),
    fc.array(declaration, { maxLength: 4 }),
    fc.array(newline, { minLength: 8, maxLength: 8 }),
    maybe(fc.constant("// last words")),
  )
  .map(([imports, declarations, lines, last]) => [...imports, ...declarations].map((part, i) => part + lines[i]).join("") + last);
