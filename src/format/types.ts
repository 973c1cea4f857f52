/** Layout of types. Parentheses are put back exactly where the grammar needs them. */
import type { Bounds, Pattern, TypeNode } from "../syntax/ast.js";
import { concat, freshline, group, hardline, indent, join, type Layout, line } from "./layout.js";
import { ARGUMENTS, bracketed, type Context, FIELDS, source } from "./parts.js";

export function typeLayout(c: Context, type: TypeNode): Layout {
  switch (type.kind) {
    case "NamedType": {
      const args =
        type.args.length === 0
          ? ""
          : concat(
              "<",
              join(
                ", ",
                type.args.map((arg) => typeLayout(c, arg)),
              ),
              ">",
            );
      const refined =
        type.pattern !== undefined ? `(/${type.pattern.source}/)` : type.bounds !== undefined ? `(${bounds(c, type.bounds)})` : "";
      return concat(type.name.text, args, refined);
    }
    case "MapType":
      return concat("map<", typeLayout(c, type.value), ">");
    case "LiteralType":
      return compact(source(c, type.span));
    case "RecordType":
      return bracketed(
        c,
        FIELDS,
        type.span.end,
        type.fields.map((field) => ({
          start: field.span.start,
          end: field.span.end,
          lay: () =>
            concat(c.annotations(c, field.annotations, field.name.span.start), source(c, field.name.span), ": ", typeLayout(c, field.type)),
        })),
      );
    case "UnionType": {
      const documented = type.members.some((member) => member.doc !== undefined || c.comments.waiting(member.type.span.start));
      const members = type.members.map((member) =>
        concat(c.comments.before(member.type.span.start), documented ? "| " : "", bare(c, member.type)),
      );
      if (documented) return indent(freshline, join(hardline, members));
      return group(members.length === 1 ? "| " : "", indent(join(concat(line, "| "), members)));
    }
    case "ListType":
      return concat(bare(c, type.element), "[", type.bounds === undefined ? "" : bounds(c, type.bounds), "]");
    case "OptionalType":
      // `??` would be the operator.
      return type.inner.kind === "OptionalType" ? concat("(", typeLayout(c, type.inner), ")?") : concat(bare(c, type.inner), "?");
    case "CallableType":
      return concat(
        bracketed(
          c,
          ARGUMENTS,
          0,
          type.params.map((param) => ({ start: param.span.start, end: param.span.end, lay: () => typeLayout(c, param) })),
        ),
        " -> ",
        typeLayout(c, type.result),
      );
    case "QualifiedType":
      return concat(
        type.qualifier,
        " ",
        type.inner.kind === "QualifiedType" ? concat("(", typeLayout(c, type.inner), ")") : bareUnqualified(c, type.inner),
      );
    case "MissingType":
      return source(c, type.span);
  }
}

/** A type where only a single one without alternatives, arrow or qualifier may stand. */
export function bare(c: Context, type: TypeNode): Layout {
  const open = type.kind === "UnionType" || type.kind === "CallableType" || type.kind === "QualifiedType";
  return open ? concat("(", typeLayout(c, type), ")") : typeLayout(c, type);
}
function bareUnqualified(c: Context, type: TypeNode): Layout {
  return type.kind === "UnionType" || type.kind === "CallableType" ? concat("(", typeLayout(c, type), ")") : typeLayout(c, type);
}
/** After `as`: a qualifier needs no parentheses there. */
export function castType(c: Context, type: TypeNode): Layout {
  return type.kind === "QualifiedType" ? typeLayout(c, type) : bare(c, type);
}

function bounds(c: Context, node: Bounds): string {
  return compact(source(c, node.span));
}

/** A literal without the white space and comments that may stand inside it (`- 1`). */
function compact(text: string): string {
  return text.startsWith('"') ? text : text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "").replace(/\s+/g, "");
}

export function patternLayout(c: Context, pattern: Pattern): Layout {
  switch (pattern.kind) {
    case "LiteralPattern":
    case "RangePattern":
      return compact(source(c, pattern.span));
    case "WildcardPattern":
      return "_";
    case "MissingPattern":
      return source(c, pattern.span);
    case "RecordPattern":
      return bracketed(
        c,
        FIELDS,
        pattern.span.end,
        pattern.fields.map(({ name, pattern: inner }) => ({
          start: name.span.start,
          end: inner?.span.end ?? name.span.end,
          lay: () => concat(source(c, name.span), inner === undefined ? "" : concat(": ", patternLayout(c, inner))),
        })),
      );
  }
}
