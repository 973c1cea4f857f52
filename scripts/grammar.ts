/**
 * Makes the files in `grammar/` from the parser: the grammar in EBNF, the same as railroad diagrams in one page that needs
 * nothing from anywhere, and the grammar for editors' colouring. `npm run grammar` writes them; a test fails when they are
 * stale.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { serializeGrammar } from "chevrotain";
import { recordedGrammar } from "../src/syntax/parser.js";
import { CONTEXTUAL, RESERVED } from "../src/syntax/tokens.js";
import { choicesFile } from "./choices.js";

/** A part of a rule, as Chevrotain writes it down. */
interface Part {
  readonly type: string;
  readonly name?: string;
  readonly label?: string;
  readonly definition?: readonly Part[];
}
interface Rule {
  readonly name: string;
  readonly definition: readonly Part[];
}

type Shape =
  | { readonly kind: "word"; readonly text: string; readonly rule: boolean }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Shape[] }
  | { readonly kind: "option" | "repeat"; readonly part: Shape };

const infix = ["+", "-", "*", "/", "%", "??", "==", "!=", "<", "<=", ">", ">=", "&&", "||"];
const lexical: Readonly<Record<string, string>> = { Name: "NAME", Word: "WORD", Number: "NUMBER", String: "STRING", Regex: "REGEX" };

function sequence(parts: readonly Part[]): Shape {
  const shapes = parts.map(shapeOf).filter((s) => s.kind !== "sequence" || s.parts.length > 0);
  const only = shapes[0];
  return shapes.length === 1 && only !== undefined ? only : { kind: "sequence", parts: shapes };
}

function shapeOf(part: Part): Shape {
  const inner = (): Shape => sequence(part.definition ?? []);
  switch (part.type) {
    case "NonTerminal":
      return { kind: "word", text: part.name ?? "", rule: true };
    case "Terminal": {
      const name = part.name ?? "";
      if (name === "Infix") return { kind: "word", text: "infix", rule: true };
      const text = lexical[name];
      return { kind: "word", text: text ?? JSON.stringify((part.label ?? name).replaceAll("`", "")), rule: false };
    }
    case "Alternation":
      return { kind: "choice", parts: (part.definition ?? []).map(shapeOf) };
    case "Option":
      return { kind: "option", part: inner() };
    case "Repetition":
      return { kind: "repeat", part: inner() };
    case "RepetitionMandatory":
      return { kind: "sequence", parts: [inner(), { kind: "repeat", part: inner() }] };
    default:
      return inner();
  }
}

function rules(): { readonly name: string; readonly shape: Shape }[] {
  const made = (serializeGrammar(Object.values(recordedGrammar())) as unknown as readonly Rule[]).map((rule) => ({
    name: rule.name,
    shape: sequence(rule.definition),
  }));
  // Files first: the parser defines the rules of types and expressions before those of declarations.
  const files = made.findIndex((rule) => rule.name === "module");
  made.unshift(...made.splice(files));
  return [
    ...made,
    { name: "infix", shape: { kind: "choice", parts: infix.map((op) => ({ kind: "word", text: JSON.stringify(op), rule: false })) } },
  ];
}

// --------------------------------------------------------------------------------------------------------- EBNF

function ebnf(shape: Shape, nested: boolean): string {
  switch (shape.kind) {
    case "word":
      return shape.text;
    case "sequence": {
      const text = shape.parts.map((p) => ebnf(p, true)).join(" ");
      return text;
    }
    case "choice": {
      const text = shape.parts.map((p) => ebnf(p, false)).join(" | ");
      return nested ? `( ${text} )` : text;
    }
    case "option":
      return `[ ${ebnf(shape.part, false)} ]`;
    case "repeat":
      return `{ ${ebnf(shape.part, false)} }`;
  }
}

/** Breaks a long rule at its alternatives or words. */
function wrapped(name: string, shape: Shape): string {
  const text = ebnf(shape, false);
  if (name.length + text.length < 108) return `${name} = ${text} ;`;
  if (shape.kind === "choice") return `${name}\n  = ${shape.parts.map((p) => ebnf(p, false)).join("\n  | ")} ;`;
  const lines: string[] = [];
  let line = `${name} =`;
  for (const word of text.split(" ")) {
    if (line.length + word.length > 106) {
      lines.push(line);
      line = "     ";
    }
    line += ` ${word}`;
  }
  return [...lines, `${line} ;`].join("\n");
}

const notes = `(* The grammar of Weave, made from the parser by \`npm run grammar\`. One token of lookahead; where that is not enough the
   parser looks at lines and at the next tokens:
     - a "(" of arguments, a "[" and a binary "-" stand on the line where the token before them ends
     - the "(" of an annotation's arguments touches its name
     - statements of a block, and declarations, stand on different lines
     - a "," between fields, properties, branches and arms may be a line break; between arguments, parameters, elements
       and names it is needed, although it is written as optional here
     - "{" opens a record when "}", "...", or a key and then ":" or "," follows, else a block
     - NAME "=>" and "(" NAMEs ")" "=>" are lambdas
     - after "as", "<" opens type arguments *)`;

function lexis(): string {
  const list = (words: readonly string[]): string => {
    const lines: string[] = [];
    let line = "    ";
    for (const word of words) {
      if (line.length + word.length > 104) {
        lines.push(line);
        line = "    ";
      }
      line += ` "${word}" |`;
    }
    lines.push(line);
    return lines.join("\n").replace(/ \|$/, "").trimStart();
  };
  return `(* lexis: comments are // and /* */; /// documents what follows *)
NAME     = /[A-Za-z_][A-Za-z0-9_]*/ that is not RESERVED ;
WORD     = NAME | RESERVED ;
NUMBER   = /\\$?\\d[\\d_]*(\\.\\d[\\d_]*)?/ [ "ms" | "s" | "m" | "h" | "d" | "k" | "M" | "%" ] ;
STRING   = '"' with the escapes of JSON '"' | '"""' anything '"""' ;   (* a template when it holds {{ *)
REGEX    = "/" … "/" ;                                                  (* only directly after "(" and "," *)
RESERVED = ${list(RESERVED)} ;
(* Every other keyword is a NAME where no keyword is expected:
   ${list(CONTEXTUAL)
     .replaceAll('"', "")
     .replaceAll(" |", "")
     .replace(/\n {5}/g, "\n   ")} *)`;
}

function ebnfFile(): string {
  return `${notes}\n\n${lexis()}\n\n${rules()
    .map(({ name, shape }) => wrapped(name, shape))
    .join("\n")}\n`;
}

// ------------------------------------------------------------------------------------------------------ diagrams

/** A drawing with its line coming in at the left and going out at the right, both at height `up` from its top. */
interface Drawing {
  readonly width: number;
  readonly up: number;
  readonly down: number;
  readonly draw: (x: number, y: number) => string;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const path = (d: string): string => `<path d="${d}"/>`;

function box(text: string, rule: boolean): Drawing {
  const shown = rule ? text : text.replace(/^"|"$/g, "");
  const width = shown.length * 8 + 20;
  return {
    width: width + 16,
    up: 14,
    down: 14,
    draw: (x, y) => {
      const rect = `<rect x="${x + 8}" y="${y - 12}" width="${width}" height="24" rx="${rule ? 2 : 12}" class="${rule ? "rule" : "token"}"/>`;
      const label = `<text x="${x + 8 + width / 2}" y="${y + 4}">${escaped(shown)}</text>`;
      const content = rule ? `<a href="#${text}">${rect}${label}</a>` : rect + label;
      return path(`M${x} ${y}h8M${x + 8 + width} ${y}h8`) + content;
    },
  };
}

function row(parts: readonly Drawing[]): Drawing {
  return {
    width: parts.reduce((sum, p) => sum + p.width, 0),
    up: Math.max(10, ...parts.map((p) => p.up)),
    down: Math.max(10, ...parts.map((p) => p.down)),
    draw: (x, y) => {
      let at = x;
      return parts
        .map((p) => {
          const drawn = p.draw(at, y);
          at += p.width;
          return drawn;
        })
        .join("");
    },
  };
}

function column(parts: readonly Drawing[]): Drawing {
  const inner = Math.max(...parts.map((p) => p.width));
  const width = inner + 40;
  const heights = parts.map((p) => p.up + p.down + 6);
  const first = parts[0];
  return {
    width,
    up: first?.up ?? 10,
    down: heights.reduce((sum, h) => sum + h, 0) - (first?.up ?? 0),
    draw: (x, y) => {
      let top = y - (first?.up ?? 0);
      return parts
        .map((p, i) => {
          const at = top + p.up;
          top += heights[i] ?? 0;
          const rest = inner - p.width;
          const down = at - y;
          const left = i === 0 ? path(`M${x} ${y}h20`) : path(`M${x} ${y}q10 0 10 10V${y + down - 10}q0 10 10 10`);
          const out = x + 20 + p.width;
          const right = i === 0 ? path(`M${out} ${y}H${x + width}`) : path(`M${out} ${at}h${rest}q10 0 10 -10V${y + 10}q0 -10 10 -10`);
          return left + p.draw(x + 20, at) + right;
        })
        .join("");
    },
  };
}

const empty: Drawing = { width: 16, up: 10, down: 10, draw: (x, y) => path(`M${x} ${y}h16`) };

function loop(part: Drawing): Drawing {
  return {
    width: part.width + 40,
    up: part.up,
    down: part.down + 20,
    draw: (x, y) => {
      const low = y + part.down + 8;
      const end = x + 20 + part.width;
      return (
        path(`M${x} ${y}h20M${end} ${y}h20`) +
        path(`M${end} ${y}q10 0 10 10V${low - 10}q0 10 -10 10H${x + 20}q-10 0 -10 -10V${y + 10}q0 -10 10 -10`) +
        part.draw(x + 20, y)
      );
    },
  };
}

function drawing(shape: Shape): Drawing {
  switch (shape.kind) {
    case "word":
      return box(shape.text, shape.rule);
    case "sequence":
      return shape.parts.length === 0 ? empty : row(shape.parts.map(drawing));
    case "choice":
      return column(shape.parts.map(drawing));
    case "option":
      return column([empty, drawing(shape.part)]);
    case "repeat":
      return column([empty, loop(drawing(shape.part))]);
  }
}

function railroadFile(): string {
  const figures = rules().map(({ name, shape }) => {
    const made = drawing(shape);
    const [width, height] = [made.width + 40, made.up + made.down + 20];
    const y = made.up + 10;
    const ends = `<circle cx="10" cy="${y}" r="4"/><circle cx="${width - 10}" cy="${y}" r="4"/>${path(`M14 ${y}h6M${width - 20} ${y}h6`)}`;
    return `<h2 id="${name}"><a href="#${name}">${name}</a></h2>\n<svg width="${width}" height="${height}" role="img" aria-label="${name}">${ends}${made.draw(20, y)}</svg>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Weave: the grammar as railroad diagrams</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#555, #aaa); --token: light-dark(#e6f2e6, #1f3a24); --rule: light-dark(#e8eef8, #1d2c45); }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
  h2 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
  a { color: inherit; text-decoration: none; }
  svg { display: block; max-width: none; }
  path { fill: none; stroke: var(--line); stroke-width: 1.5; }
  circle { fill: var(--line); }
  rect { stroke: var(--line); }
  .token { fill: var(--token); }
  .rule { fill: var(--rule); }
  text { font: 13px ui-monospace, monospace; text-anchor: middle; fill: currentColor; }
  .page { overflow-x: auto; }
</style>
<h1>The grammar of Weave</h1>
<p>Made from the parser by <code>npm run grammar</code>. Rounded: tokens; square: rules.</p>
<div class="page">
${figures.join("\n")}
</div>
</html>
`;
}

// ------------------------------------------------------------------------------------------------------- colours

function colourFile(): string {
  const word = (words: readonly string[]): string => `\\b(?:${words.join("|")})\\b`;
  const constants = ["true", "false", "null"];
  const declared = [
    "import",
    "type",
    "model",
    "mcp",
    "effect",
    "tool",
    "agent",
    "flow",
    "capability",
    "compose",
    "policy",
    "state",
    "channel",
    "on",
    "test",
  ];
  const clauses = CONTEXTUAL.filter((w) => !declared.includes(w));
  const expression = [{ include: "#comments" }, { include: "#texts" }, { include: "#numbers" }, { include: "#words" }];
  const file = {
    name: "Weave",
    scopeName: "source.weave",
    fileTypes: ["weave"],
    patterns: expression,
    repository: {
      comments: {
        patterns: [
          { name: "comment.line.documentation.weave", match: "///.*$" },
          { name: "comment.line.double-slash.weave", match: "//.*$" },
          { name: "comment.block.weave", begin: "/\\*", end: "\\*/" },
        ],
      },
      texts: {
        patterns: [
          { name: "string.quoted.triple.weave", begin: '"""', end: '"""', patterns: [{ include: "#template" }] },
          {
            name: "string.quoted.double.weave",
            begin: '"',
            end: '"|$',
            patterns: [
              { name: "constant.character.escape.weave", match: '\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})' },
              { include: "#template" },
            ],
          },
          { name: "string.regexp.weave", match: "(?<=[(,]\\s*)/(?:[^/\\\\\\n\\[]|\\\\.|\\[(?:[^\\]\\\\\\n]|\\\\.)*\\])+/" },
        ],
      },
      template: {
        name: "meta.template.expression.weave",
        begin: "(?<!\\\\)\\{\\{",
        end: "\\}\\}",
        beginCaptures: { 0: { name: "punctuation.section.embedded.weave" } },
        endCaptures: { 0: { name: "punctuation.section.embedded.weave" } },
        patterns: [
          { name: "keyword.control.weave", match: "[#/](?:each|if|unless|with)\\b|\\belse\\b|\\bas\\b" },
          { name: "variable.language.weave", match: "@\\w+|\\bthis\\b" },
          { name: "string.quoted.single.weave", match: "'[^']*'" },
          { name: "variable.other.weave", match: "[A-Za-z_]\\w*" },
        ],
      },
      numbers: { name: "constant.numeric.weave", match: "\\$?\\b\\d[\\d_]*(?:\\.\\d[\\d_]*)?(?:ms|s|m|h|d|k|M|%)?" },
      words: {
        patterns: [
          { name: "entity.name.function.decorator.weave", match: "@[A-Za-z_]\\w*" },
          {
            match: `^\\s*(?:(effect)\\s+)?(${declared.join("|")})\\b(?=\\s+[A-Za-z_"{])\\s*([A-Za-z_]\\w*)?`,
            captures: { 1: { name: "storage.modifier.weave" }, 2: { name: "storage.type.weave" }, 3: { name: "entity.name.weave" } },
          },
          { name: "constant.language.weave", match: word(constants) },
          { name: "variable.other.property.weave", match: "\\b[A-Za-z_]\\w*(?=\\s*:)" },
          { name: "keyword.control.weave", match: word(RESERVED.filter((w) => !constants.includes(w))) },
          { name: "keyword.other.weave", match: `(?<![.\\w])(?:${clauses.join("|")})\\b(?!\\s*[:(.,)])` },
          {
            name: "support.type.weave",
            match: word(["string", "int", "float", "bool", "json", "duration", "money", "image", "audio", "document"]),
          },
          { name: "entity.name.type.weave", match: "\\b[A-Z]\\w*" },
          { name: "keyword.operator.weave", match: "\\|>|>>|=>|->|\\?\\?|\\?\\.|&&|\\|\\||[=!<>]=|[-+*/%<>=!?|]|\\.\\.\\.?" },
        ],
      },
    },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** The files that are made from the grammar, by their path. */
export function grammarFiles(): readonly { readonly name: string; readonly text: string }[] {
  return [
    { name: "grammar/weave.ebnf", text: ebnfFile() },
    { name: "grammar/railroad.html", text: railroadFile() },
    { name: "grammar/weave.tmLanguage.json", text: colourFile() },
    { name: "src/syntax/choices.ts", text: choicesFile() },
  ];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, text } of grammarFiles()) writeFileSync(join(import.meta.dirname, "..", name), text);
}
