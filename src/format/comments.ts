/**
 * Comments in a formatted file. They are taken in order, each exactly once: before the thing they precede, behind the
 * thing whose line they end, or before the bracket that closes around them. What nothing took is taken by the next place,
 * so none is lost.
 */
import type { SourceFile } from "../source/source.js";
import type { Comment } from "../syntax/ast.js";
import { all, breakParent, concat, hardline, type Layout, suffix } from "./layout.js";

export interface Comments {
  /** The comments that start before an offset, as lines or words before what stands there. */
  before(offset: number): Layout;
  /** Those inside something that has been laid out and those that end its line: beside it, and after its comma. */
  behind(offset: number): { readonly inline: Layout; readonly after: Layout };
  /** Those before a closing bracket, each after a line break; empty when there are none. */
  dangling(offset: number): Layout;
  /** Whether a comment starts before an offset and is not taken yet. */
  waiting(offset: number): boolean;
  /** Whether a comment waits that ends its line. */
  breaking(offset: number): boolean;
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
  return {
    before(offset) {
      const parts: Layout[] = [];
      const taken = take(offset);
      for (const comment of taken) {
        // What follows on the line may be a parenthesis that is not in the tree.
        const line = comment.kind !== "block" || /[ \t\r]*\n/y.test(file.text.slice(comment.span.end, comment.span.end + 200));
        const blank = /[ \t\r]*\n[ \t\r]*\n/y.test(file.text.slice(comment.span.end, comment.span.end + 200));
        parts.push(words(comment), line ? hardline : " ", blank ? hardline : "");
      }
      return all(parts);
    },
    behind(offset) {
      const inline: Layout[] = [];
      const after: Layout[] = [];
      const below: Layout[] = [];
      for (const comment of take(offset)) {
        if (comment.kind === "block") inline.push(" ", words(comment));
        else below.push(hardline, words(comment));
      }
      let end = offset;
      for (let comment = peek(); comment !== undefined; comment = peek()) {
        if (!/^[ \t,]*$/.test(gap(end, comment.span.start))) break;
        if (comment.kind !== "block") {
          after.push(suffix(` ${comment.text.trimEnd()}`), breakParent);
          next++;
          break;
        }
        if (!/[ \t]*(,|\r?\n|$|\/[/*]|[)\]}])/y.test(file.text.slice(comment.span.end, comment.span.end + 200))) break;
        inline.push(" ", words(comment));
        next++;
        end = comment.span.end;
      }
      return { inline: all(inline), after: all([...after, ...below]) };
    },
    dangling(offset) {
      const parts: Layout[] = [];
      const taken = take(offset);
      for (const [i, comment] of taken.entries()) {
        const before = taken[i - 1]?.span.end;
        if (before !== undefined && blank(before, comment.span.start)) parts.push(hardline);
        parts.push(hardline, words(comment));
      }
      return all(parts);
    },
    waiting: (offset) => (peek()?.span.start ?? Number.POSITIVE_INFINITY) < offset,
    breaking(offset) {
      for (let i = next; (comments[i]?.span.start ?? offset) < offset; i++) if (comments[i]?.kind !== "block") return true;
      return false;
    },
    startBefore: (offset) => Math.min(peek()?.span.start ?? offset, offset),
  };
}

/** A comment as it is; lines of a block comment keep their own indentation. */
function words(comment: Comment): Layout {
  return comment.kind === "block" && comment.text.includes("\n")
    ? concat({ kind: "verbatim", text: comment.text, breaks: false }, breakParent)
    : comment.text.trimEnd();
}
