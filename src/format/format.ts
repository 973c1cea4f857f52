/**
 * The formatter: one style, no options. It keeps every comment, at most one blank line where the author had some, the
 * words of every literal, and the meaning: what it writes parses to the same tree. Formatting twice changes nothing.
 * Files with syntax errors are not for it.
 */
import type { SourceFile } from "../source/source.js";
import type { Declaration, Import, Module, Name, Parameter, Property, Signature } from "../syntax/ast.js";
import { commentsOf } from "./comments.js";
import { annotation, annotationsInline, expression, stage, statements, testStatement } from "./expressions.js";
import { all, breakParent, concat, group, hardline, indent, join, type Layout, line, print } from "./layout.js";
import { ARGUMENTS, afterTrivia, behind, blankBefore, bracketed, brokenAfter, type Context, FIELDS, NAMES, source } from "./parts.js";
import { typeLayout } from "./types.js";

/** How long a line may become. */
export const WIDTH = 100;

/** The module as text. */
export function format(module: Module, file: SourceFile): string {
  const c: Context = { file, comments: commentsOf(module.comments, file), annotations: annotationsInline };
  const parts: Layout[] = [];
  const items = [...module.imports, ...module.declarations].sort((a, b) => a.span.start - b.span.start);
  for (const item of items) {
    const start = c.comments.startBefore(item.span.start);
    if (parts.length > 0) parts.push(hardline, blankBefore(c, start) ? hardline : "");
    parts.push(
      c.comments.before(item.span.start),
      item.kind === "Import" ? importLayout(c, item) : declaration(c, item),
      behind(c, item.span.end),
    );
  }
  const rest = c.comments.waiting(file.text.length + 1);
  const blank = rest && parts.length > 0 && blankBefore(c, c.comments.startBefore(file.text.length + 1));
  if (rest) parts.push(blank ? hardline : "", c.comments.dangling(file.text.length + 1));
  const text = print(all(parts), WIDTH);
  const trimmed = parts.length > 0 && items.length === 0 ? text.replace(/^\n+/, "") : text;
  return trimmed === "" ? "" : `${trimmed}\n`;
}

function importLayout(c: Context, node: Import): Layout {
  const names = bracketed(
    c,
    NAMES,
    node.from.span.start,
    node.names.map((n) => ({
      start: n.span.start,
      end: n.span.end,
      lay: () => (n.alias === undefined ? n.name.text : `${n.name.text} as ${n.alias.text}`),
    })),
  );
  return concat("import ", names, " from ", source(c, node.from.span));
}

function declaration(c: Context, node: Declaration): Layout {
  return concat(annotationsBefore(c, node), plain(c, node));
}

/** Annotations of a declaration stand on its line or on lines above it, as the author had them. */
function annotationsBefore(c: Context, node: Declaration): Layout {
  const parts: Layout[] = [];
  for (const [i, a] of node.annotations.entries()) {
    parts.push(annotation(c, a));
    const broken = brokenAfter(c, a.span.end);
    parts.push(behind(c, a.span.end), broken ? hardline : " ");
    if (i === node.annotations.length - 1) parts.push(c.comments.before(afterTrivia(c, a.span.end)));
  }
  return all(parts);
}

function plain(c: Context, node: Declaration): Layout {
  switch (node.kind) {
    case "TypeDecl":
      return group("type ", node.name.text, typeParams(node.typeParams), " = ", typeLayout(c, node.type));
    case "ModelDecl":
      return concat("model ", node.name.text, " ", properties(c, node.properties, node.span.end));
    case "McpDecl":
      return concat("mcp ", node.name.text, " ", properties(c, node.properties, node.span.end));
    case "ToolDecl":
      return concat(node.effect ? "effect " : "", "tool ", signature(c, node.signature), " = ", expression(c, node.binding));
    case "AgentDecl":
      return concat("agent ", signature(c, node.signature), " ", properties(c, node.properties, node.span.end));
    case "FlowDecl":
      return concat("flow ", signature(c, node.signature), " ", expression(c, node.body));
    case "CapabilityDecl":
      return concat("capability ", signature(c, node.signature));
    case "ComposeDecl":
      return group(
        "compose ",
        node.name.text,
        " = ",
        indent(
          join(
            concat(line, ">> "),
            node.stages.map((s) => concat(c.comments.before(s.span.start), stage(c, s))),
          ),
        ),
      );
    case "PolicyDecl":
      return bundle(c, node);
    case "LetDecl":
      return concat(
        "let ",
        node.name.text,
        node.type === undefined ? "" : concat(": ", typeLayout(c, node.type)),
        " = ",
        expression(c, node.value),
      );
    case "StateDecl": {
      const head = concat("state ", node.name.text, ": ", typeLayout(c, node.type), " = ", expression(c, node.value));
      return node.span.end === node.value.span.end ? head : concat(head, " ", properties(c, node.properties, node.span.end));
    }
    case "ChannelDecl":
      return concat(
        "channel ",
        node.name.text,
        "(",
        typeLayout(c, node.message),
        ")",
        node.reply === undefined ? "" : concat(" -> ", typeLayout(c, node.reply)),
      );
    case "OnDecl":
      return concat(
        "on ",
        node.name.text,
        node.field === undefined ? "" : `.${node.field.text}`,
        "(",
        node.param.text,
        ") ",
        expression(c, node.body),
      );
    case "TestDecl":
      return concat(
        "test ",
        source(c, node.name.span),
        " ",
        group(
          statements(c, node.name.span.end, node.span.end, node.statements, (s) => testStatement(c, s)),
          breakParent,
        ),
      );
    case "MissingDecl":
      return source(c, node.span);
  }
}

function bundle(
  c: Context,
  node: { readonly name: Name; readonly bundle: readonly import("../syntax/ast.js").Annotation[]; readonly span: { readonly end: number } },
): Layout {
  const parts: Layout[] = [];
  for (const [i, a] of node.bundle.entries()) {
    if (i > 0) parts.push(line);
    parts.push(annotation(c, a), behind(c, a.span.end));
  }
  const dangling = c.comments.waiting(node.span.end - 1) ? c.comments.dangling(node.span.end - 1) : "";
  return group("policy ", node.name.text, " {", indent(line, all(parts), dangling), line, "}");
}

function typeParams(names: readonly Name[]): string {
  return names.length === 0 ? "" : `<${names.map((n) => n.text).join(", ")}>`;
}

function signature(c: Context, s: Signature): Layout {
  const params = bracketed(
    c,
    ARGUMENTS,
    (s.result?.span.start ?? s.span.end) + 1,
    s.params.map((p) => ({ start: p.span.start, end: p.span.end, lay: () => parameter(c, p) })),
  );
  const result = s.result === undefined ? "" : concat(" -> ", typeLayout(c, s.result));
  return concat(
    s.name.text,
    typeParams(s.typeParams),
    params,
    result,
    s.implements === undefined ? "" : ` implements ${s.implements.text}`,
  );
}

function parameter(c: Context, p: Parameter): Layout {
  const annotations = annotationsInline(c, p.annotations, p.name.span.start);
  return concat(
    annotations,
    p.name.text,
    ": ",
    typeLayout(c, p.type),
    p.default === undefined ? "" : concat(" = ", expression(c, p.default)),
  );
}

function properties(c: Context, list: readonly Property[], to: number): Layout {
  return bracketed(
    c,
    FIELDS,
    to,
    list.map((p) => ({ start: p.span.start, end: p.span.end, lay: () => concat(p.name.text, ": ", expression(c, p.value)) })),
  );
}
