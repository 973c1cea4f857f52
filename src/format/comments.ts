/**
 * Comments in a formatted file. They are taken in order, each exactly once: before the thing they precede, behind the
 * thing whose line they end, or before the bracket that closes around them. What nothing took is taken by the next place,
 * so none is lost.
 */
import type { SourceFile } from "../source/source.js";
import type { Comment } from "../syntax/ast.js";
import { breakParent, concat, hardline, type Layout, suffix } from "./layout.js";

export interface Comments {
  /** The comments that start before an offset, as lines or words before what stands there. */
  before(offset: number): Layout;
  /** Those inside something that has been laid out, and those that end its line. */
  behind(offset: number): Layout;
  /** Those before a closing bracket, each after a line break; empty when there are none. */
  dangling(offset: number): Layout;
  /** Whether a comment starts before an offset and is not taken yet. */
  waiting(offset: number): boolean;
  /** Where the next comment that starts before an offset begins, else the offset itself. */
  startBefore(offset: number): number;
}

export function commentsOf(comments: readonly Comment[], file: SourceFile): Comments {
  let next = 0;
  const peek = (): Comment | undefined => comments[next];
  const gap = (from: number, to: number) => file.text.slice(from, to);
  const blank = (from: number, to: number) => /\n[ \t\r]*\n/.test(gap(from, to));
  const take = (offset: number): Comment[] => {
    const taken: Comment[] = [];
    for (let comment = peek(); comment !== undefined && comment.span.start < offset; comment = peek()) {
      taken.push(comment);
      next++;
    }
    return taken;
  };
  const ends = (comment: Comment) => comment.kind !== "block" || !comment.text.includes("\n");
  return {
    before(offset) {
      const parts: Layout[] = [];
      const taken = take(offset);
      for (const [i, comment] of taken.entries()) {
        const after = taken[i + 1]?.span.start ?? offset;
        parts.push(words(comment));
        const between = gap(comment.span.end, after);
        if (comment.kind === "block" && !between.includes("\n")) parts.push(" ");
        else parts.push(hardline, ...(blank(comment.span.end, after) ? [hardline] : []));
      }
      return concat(...parts);
    },
    behind(offset) {
      const parts: Layout[] = [];
      const within = take(offset).map(inside);
      for (let comment = peek(); comment !== undefined; comment = peek()) {
        const between = gap(offset, comment.span.start);
        if (!/^[ \t,]*$/.test(between) || !ends(comment)) break;
        if (comment.kind === "block" && !/^[ \t,]*(\r?\n|$|\/\/)/.test(file.text.slice(comment.span.end, comment.span.end + 200))) break;
        parts.push(suffix(` ${comment.text.trimEnd()}`), ...(comment.kind === "block" ? [] : [breakParent]));
        next++;
        if (comment.kind !== "block") break;
        offset = comment.span.end;
      }
      return concat(...parts, ...within);
    },
    dangling(offset) {
      const parts: Layout[] = [];
      const taken = take(offset);
      for (const [i, comment] of taken.entries()) {
        const before = taken[i - 1]?.span.end;
        if (before !== undefined && blank(before, comment.span.start)) parts.push(hardline);
        parts.push(hardline, words(comment));
      }
      return concat(...parts);
    },
    waiting: (offset) => (peek()?.span.start ?? Number.POSITIVE_INFINITY) < offset,
    startBefore: (offset) => Math.min(peek()?.span.start ?? offset, offset),
  };
}

/** A comment as it is; lines of a block comment keep their own indentation. */
function words(comment: Comment): Layout {
  return comment.kind === "block" && comment.text.includes("\n")
    ? concat({ kind: "verbatim", text: comment.text, breaks: false }, breakParent)
    : comment.text.trimEnd();
}

/** A comment that stood inside an expression goes behind the line; two of them need two lines. */
function inside(comment: Comment): Layout {
  return comment.kind === "block" ? concat(" ", words(comment)) : concat(hardline, words(comment));
}
