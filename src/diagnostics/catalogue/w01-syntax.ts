/**
 * W01: syntax. One code for each mistake that people make, reported once and at its own place; `expected` is what is
 * left when no better words fit. The comment before an entry is a program that shows it.
 */
import { error, warning } from "./define.js";

/** The start of what was found: a token may be a page of text. */
const brief = (found: string): string => {
  const line = found.split("\n", 1)[0] ?? "";
  return line.length > 30 || line.length < found.length ? `${line.slice(0, 30)}…` : line;
};
const shown = (found: string): string => (found === "" ? "the end of the file" : `\`${brief(found)}\``);

export const syntaxProblems = {
  // ------------------------------------------------------------------------------------------- inside a token
  // let A = 1 # 2
  unknownCharacter: error<{ text: string }>("W0101", {
    title: ({ text }) => `${name(text)} has no meaning here`,
    label: "unknown character",
    help: ({ text }) => characterHelp(text),
  }),
  // let A = "no end
  unterminatedText: error("W0102", {
    title: 'This text has no closing `"`',
    label: "the line ends inside the text",
    help: 'Close it on the same line, or use """block text""" for several lines.',
  }),
  // let A = """no end
  unterminatedBlockText: error("W0103", { title: 'This block text has no closing `"""`', label: "opened here" }),
  // let A = 1 /* no end
  unterminatedComment: error("W0104", { title: "This comment has no closing `*/`", label: "opened here" }),
  // let A = "a\qb"
  unknownEscape: error<{ sequence: string }>("W0105", {
    title: ({ sequence }) => `\`${sequence}\` is not an escape`,
    help: 'Text knows the escapes of JSON: \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041. Write `\\\\` for a backslash; block text is raw.',
  }),
  // let A = 'text'
  wrongQuotes: error<{ backticks: boolean }>("W0106", {
    title: "Text is written in double quotes",
    label: ({ backticks }) => (backticks ? "these are backticks" : "these are single quotes"),
    help: ({ backticks }) =>
      backticks ? 'A value is inserted by `{{name}}`, and a text of several lines stands between `"""` and `"""`.' : undefined,
  }),
  // let A = 'no end
  unterminatedWrongQuotes: error("W0107", {
    title: "Text is written in double quotes, and this one has no end",
    label: "the line ends inside the text",
  }),
  // let A = 10min
  numberSuffix: error<{ suffix: string; mend: string | undefined; digits: string; money: boolean }>("W0108", {
    title: ({ suffix }) => `A number cannot end in \`${brief(suffix)}\``,
    label: ({ mend, digits, money }) => (mend === undefined || money ? undefined : `write \`${digits}${mend}\``),
    help: ({ money }) =>
      money
        ? "Money is `$` and digits: $0.05."
        : "The endings are ms s m h d for durations, k M for sizes and % for percentages; exponents and other bases are written out.",
  }),
  // let A = 99999999999999999999
  numberTooLarge: error<{ number: string }>("W0109", {
    title: ({ number }) => `\`${brief(number)}\` is too large for an exact int`,
    help: 'Ints are exact up to 9_007_199_254_740_991. What is an identifier is better a text: `"…"`.',
  }),
  // flow f(s: string) -> bool { matches(s, /ab) }
  unterminatedRegex: error("W0110", {
    title: "This regular expression has no closing `/`",
    label: "the line ends inside it",
    help: "Directly after `(` or `,` a `/` opens a regular expression; put a value before it to divide.",
  }),
  // flow f(s: string) -> bool { matches(s, /[/) }
  invalidRegex: error<{ reason: string }>("W0111", {
    title: ({ reason }) => `This is not a regular expression: ${reason}`,
  }),
  // flow f(s: string) -> bool { matches(s, /a/i) }
  regexFlags: error<{ flags: string }>("W0112", {
    title: ({ flags }) => `A regular expression takes no flags, but \`${flags}\` follows it`,
  }),
  // let A = "list: {{join xs ", "}}"
  quoteInTemplate: error("W0113", {
    title: "This quote ends the text inside `{{ … }}`",
    label: "the text ends here",
    help: 'Inside a "…" template write texts with single quotes, as in {{join xs \', \'}}, or use """block text""".',
  }),

  // --------------------------------------------------------------------------------------------- whole files
  // ((((( … two hundred deep
  tooDeep: error<{ limit: number }>("W0114", {
    title: "This is nested too deeply",
    label: "the level that is too deep begins here",
    help: ({ limit }) =>
      `Expressions, types, patterns and templates nest at most ${limit} levels; name an inner part with \`let\` or a flow of its own.`,
  }),
  // a file of many million tokens
  fileTooLarge: error<{ tokens: number }>("W0115", {
    title: ({ tokens }) => `This file is too large: it has ${tokens} tokens`,
    help: "Split it into files that import each other.",
  }),

  // ----------------------------------------------------------------------------------------- what is missing
  // flow f() { g(1 2) }
  missingComma: error<{ between: string }>("W0120", {
    title: ({ between }) => `A comma is missing between two ${between}`,
    label: "expected `,`",
  }),
  // type A = { a: int b: int }
  missingSeparator: error<{ between: string }>("W0121", {
    title: ({ between }) => `Two ${between} on one line need a comma between them`,
    label: "expected `,` or a new line",
  }),
  // flow f() { g(1
  unclosed: error<{ opener: string; closer: string }>("W0122", {
    title: ({ opener }) => `This \`${opener}\` is not closed`,
    label: ({ closer }) => `expected \`${closer}\``,
  }),
  // flow f() { 1 } }
  unmatched: error<{ closer: string }>("W0123", {
    title: ({ closer }) => `This \`${closer}\` closes nothing`,
    label: "no opener before it",
  }),
  // let A =
  missingValue: error<{ after: string; found: string }>("W0124", {
    title: ({ after }) => (after === "" ? "A value is missing" : `A value is missing after \`${brief(after)}\``),
    label: "expected an expression",
  }),
  // type A =
  missingType: error<{ found: string }>("W0125", {
    title: ({ found }) => `A type is missing${found === "" ? "" : ` before \`${brief(found)}\``}`,
    label: "expected a type",
  }),
  // flow (x: int) -> int { x }
  missingName: error<{ what: string; found: string }>("W0126", {
    title: ({ what, found }) => `The name of ${what} is missing${found === "" ? "" : ` before \`${brief(found)}\``}`,
    label: "expected a name",
    help: ({ what }) => (what === "a branch" ? "Branches have names: `fork { first: F(x), second: G(x) }`." : undefined),
  }),
  // flow f() -> int
  missingBody: error<{ what: string }>("W0127", {
    title: ({ what }) => `${what} has no body`,
    label: "expected `{`",
  }),
  // flow f(x) -> int { x }
  missingParameterType: error<{ name: string }>("W0128", {
    title: ({ name }) => `The parameter \`${name}\` has no type`,
    label: "expected `: type`",
    help: "Parameters of declarations are always typed, as in `name: string`.",
  }),
  // flow f(x: int) -> int { match x { } }
  emptyConstruct: error<{ what: string; needs: string }>("W0129", {
    title: ({ what, needs }) => `${what} needs at least ${needs}`,
  }),
  // flow f() { match x { 1 -> 2 } }
  expected: error<{ expected: string; found: string }>("W0130", {
    title: ({ expected, found }) => `Expected ${expected}, found ${shown(found)}`,
    label: ({ expected }) => `expected ${expected}`,
  }),

  // ---------------------------------------------------------------------------------------- statements, lines
  // flow f() { let x = 1 2 }
  twoOnOneLine: error<{ found: string }>("W0131", {
    title: ({ found }) => `\`${brief(found)}\` does not continue what stands before it on this line`,
    label: "a statement ends at the end of its line",
    help: "Put statements on lines of their own; between two values an operator or a comma may be missing.",
  }),
  // let A = 1;
  semicolon: error("W0132", { title: "Lines end without a semicolon", label: "remove it" }),
  // flow f() { return 1 }
  returnWord: error("W0133", {
    title: "There is no `return`: the last expression of a block is its value",
    label: "remove this word",
  }),
  // flow f() { x = 1 }
  assignment: error<{ name: string }>("W0134", {
    title: ({ name }) => `Values are not assigned: write \`let ${name} = …\``,
    label: "expected `let` before the name, or `==` to compare",
    help: "A name gets its value once. State is changed with `set`; fields of a record are written `name: value`.",
  }),
  // flow f(a: int) { if a = 1 { 2 } }
  singleEqual: error("W0135", { title: "`=` does not compare", label: "write `==`" }),
  // flow f(a: bool, b: bool) { a & b }
  logicalOperator: error<{ found: string; mend: string }>("W0136", {
    title: ({ found, mend }) => `\`${found}\` is not an operator: write \`${mend}\``,
  }),
  // flow f(a: int) { a === 1 }
  tripleEqual: error<{ found: string; mend: string }>("W0137", {
    title: ({ found, mend }) => `\`${found}\` is written \`${mend}\`; equality is always deep and strict`,
  }),
  // flow f(a: int) { 1 < a < 3 }
  chainedComparison: error<{ first: string; second: string }>("W0138", {
    title: "Comparisons cannot be chained",
    label: ({ first, second }) => `\`${second}\` after \`${first}\``,
    help: "Compare twice, as in `a < b && b < c`, or put parentheses round one comparison.",
  }),
  // flow f(c: bool) { c ? 1 : 2 }
  ternary: error("W0139", { title: "A choice is written `if … { … } else { … }`", label: "there is no `? :`" }),
  // flow f() { for x in xs { g(x) } }
  foreignWord: error<{ word: string; instead: string }>("W0140", {
    title: ({ word, instead }) => `There is no \`${word}\`: ${instead}`,
  }),
  // flow f() { let map = 1 }
  reservedName: error<{ word: string }>("W0141", {
    title: ({ word }) => `\`${word}\` is a word of the language and cannot name a value`,
    label: "choose another name",
  }),
  // flow f(xs: int[]) { map x in xs by x where x > 1 { x } }
  clauseOrder: error<{ word: string }>("W0142", {
    title: ({ word }) => `\`${word}\` stands at the wrong place`,
    help: "The clauses of a map stand in this order: `in`, `where`, `by`, `after`, `giving`.",
  }),
  // flow f() { g(x = 1) }
  namedArgument: error<{ name: string }>("W0143", {
    title: ({ name }) => `A named argument is written \`${name}: …\``,
    label: "expected `:`",
  }),
  // flow f(k: string) { match k { bug => 1 } }
  namePattern: error<{ name: string }>("W0144", {
    title: ({ name }) => `The name \`${name}\` is not a pattern`,
    help: ({ name }) =>
      `Patterns are literals such as "${name}" or 3..5, records such as { kind: "ok", value }, and \`_\` for everything else.`,
  }),
  // let A = .5
  missingDigit: error("W0145", { title: "A number begins with a digit", label: "write `0` before the dot" }),
  // flow f(x: int) { x += 1 }
  changedValue: error<{ found: string; name: string }>("W0146", {
    title: ({ found }) => `There is no \`${found}\`: values do not change`,
    help: ({ name }) =>
      `Give the new value a name of its own, as in \`let next_${name} = ${name} + 1\`; a \`loop\` carries one from round to round.`,
  }),

  // -------------------------------------------------------------------------------------------- declarations
  // function f() -> int { 1 }
  foreignDeclaration: error<{ word: string; instead: string }>("W0150", {
    title: ({ word, instead }) => `There is no \`${word}\`: write \`${instead}\``,
  }),
  // print("hello")
  notADeclaration: error<{ found: string; near: string | undefined }>("W0151", {
    title: ({ found }) => `${shown(found)} begins no declaration`,
    label: ({ near }) => (near === undefined ? undefined : `did you mean \`${near}\`?`),
    help: "At the top of a file stand import, type, model, mcp, tool, agent, flow, capability, compose, policy, let, state, channel, on and test; statements belong into a flow.",
  }),
  // let A = 1 ⏎ import { b } from "./b.weave"
  lateImport: error("W0152", { title: "Imports stand at the top of a file, before the declarations", label: "move it up" }),
  // flow f() -> int { 1 } ⏎ @retry(2)
  danglingAnnotation: error<{ name: string }>("W0153", {
    title: ({ name }) => `Nothing follows that \`@${name}\` could annotate`,
    label: "expected a declaration after it",
  }),
  // @retry (2) agent A() -> string { }
  annotationGap: error<{ name: string }>("W0154", {
    title: ({ name }) => `The \`(\` touches the name of an annotation: \`@${name}(…)\``,
    label: "remove the space",
  }),
  // compose c = f
  shortCompose: error("W0155", { title: "A compose needs at least two stages, joined by `>>`", label: "only one stage" }),
  // type A = { a?: int }
  optionalField: error<{ name: string }>("W0157", {
    title: ({ name }) => `An optional field is written \`${name}: type?\``,
    label: "the `?` belongs to the type",
  }),
  // flow f() { ⏎   flow g() { 1 } ⏎   1 }
  nestedDeclaration: error<{ word: string }>("W0158", {
    title: ({ word }) => `A \`${word}\` cannot stand inside a block`,
    label: "move it to the top level",
    help: "A function for one place is a lambda: `x => x.score`.",
  }),
  // flow f(xs: int[]) { xs |> map(x => x + 1) }
  calledRegion: error<{ word: "map" | "reduce"; instead: string | undefined }>("W0159", {
    title: ({ word }) => `\`${word}\` is a region of the language, not a function`,
    label: ({ word, instead }) => `write \`${instead ?? (word === "map" ? "map x in xs { … }" : "reduce xs with f")}\``,
    help: ({ word }) =>
      word === "map"
        ? "The block of a `map` runs for each item, all of them at once where nothing limits it."
        : "`reduce` joins items two by two with a callable of two; a pure function from left to right is `fold(xs, start, (sum, x) => …)`.",
  }),
  // type A = { [key: string]: int }
  indexSignature: error<{ instead: string | undefined }>("W0160", {
    title: "A record has fields with names",
    label: ({ instead }) => `values by text are a \`${instead ?? "map<T>"}\``,
  }),
  // type A = map<string, int>
  mapKey: error("W0161", { title: "The keys of a map are always text", label: "write the type of the values only" }),
  // type A = { a: int } /// about A
  trailingDoc: warning("W0156", {
    title: "`///` documents what follows it, and this one ends a line",
    help: "Move it to the line before what it documents, or make it a `//` comment.",
  }),
} as const;

function name(text: string): string {
  const code = text.codePointAt(0) ?? 0;
  const printable = code > 0x20 && code !== 0x7f && !(code >= 0x80 && code <= 0xa0) && !/\p{C}|\p{Z}/u.test(text);
  return printable ? `\`${text}\`` : `The character U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function characterHelp(text: string): string | undefined {
  if ("“”„«»".includes(text)) return 'Text is written in straight double quotes: "…".';
  if ("‘’".includes(text)) return "A straight quote may be meant.";
  if ("–—−".includes(text)) return "A minus may be meant: `-`.";
  if (text === "…") return "Three dots are written `...`.";
  if (text === "#") return "A comment begins with `//`.";
  if (text === "$") return "Money is `$` and digits without a space: $0.05.";
  if (text === "^") return "There is no power or xor operator.";
  return undefined;
}
