/** What a person reads, letter by letter. */
import { describe, expect, test } from "vitest";
import type { Problem } from "../../src/diagnostics/problems.js";
import { countProblems, type RenderOptions, renderProblems, toJson } from "../../src/diagnostics/render.js";
import { sourceFile } from "../../src/source/source.js";

interface Case {
  readonly text: string;
  readonly at: string;
  readonly label?: string;
  readonly help?: string;
  readonly related?: readonly { at: string; message: string; in?: string }[];
  readonly fixes?: Problem["fixes"];
  readonly other?: string;
}

function spanOf(text: string, part: string, file: string) {
  const start = text.indexOf(part);
  if (start < 0) throw new Error(`no ${part} in the source`);
  return { file, start, end: start + part.length };
}

function problemOf({ text, at, label, help, related = [], fixes = [], other = "" }: Case): Problem {
  return {
    code: "W0310",
    severity: "error",
    title: "This field does not exist",
    label,
    help,
    span: at === "" ? { file: "a.weave", start: text.length, end: text.length } : spanOf(text, at, "a.weave"),
    related: related.map((each) => ({
      message: each.message,
      span: each.in === undefined ? spanOf(text, each.at, "a.weave") : spanOf(other, each.at, each.in),
    })),
    fixes,
  };
}

function render(each: Case, options: RenderOptions = {}): string {
  const files = new Map([
    ["a.weave", sourceFile("a.weave", each.text)],
    ["b.weave", sourceFile("b.weave", each.other ?? "")],
  ]);
  return renderProblems([problemOf(each)], files, options);
}

describe("a problem as text", () => {
  test("shows where it is, what belongs to it, and what to do", () => {
    const text = [
      "",
      "",
      "",
      "",
      "",
      "",
      "",
      "",
      "type Issue = { id: string, title: string, body: string }",
      ...Array<string>(11).fill(""),
      '  prompt: "Classify this issue.\\n# {{issue.titel}}"',
    ].join("\n");
    expect(
      render({
        text,
        at: "titel",
        label: "did you mean `title`?",
        help: "`issue` is an `Issue`. It has the fields `id`, `title` and `body`.",
        related: [{ at: "Issue", message: "declared here" }],
        fixes: [{ title: "did you mean `title`?", edits: [] }],
      }),
    ).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:21:44
  │
9 │ type Issue = { id: string, title: string, body: string }
  │      ----- declared here
  │
21│   prompt: "Classify this issue.\\n# {{issue.titel}}"
  │                                            ^^^^^ did you mean \`title\`?
  │
  = \`issue\` is an \`Issue\`. It has the fields \`id\`, \`title\` and \`body\`.
`);
  });

  test("hangs the texts of several marks on one line below each other", () => {
    expect(
      render({
        text: "let total = count + price",
        at: "+",
        label: "these cannot be added",
        related: [
          { at: "count", message: "an `int`" },
          { at: "price", message: "a `money`" },
        ],
      }),
    ).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:1:19
  │
1 │ let total = count + price
  │             ----- ^ ----- a \`money\`
  │             │     │
  │             │     these cannot be added
  │             an \`int\`
`);
  });

  test("marks a span of several lines at its side", () => {
    const text = "flow main() {\n  a\n  b\n  c\n  d\n  e\n  f\n  g\n}\nlet x = 1";
    expect(render({ text, at: text.slice(0, -10), label: "this flow" })).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:1:1
  │
1 │ ╭ flow main() {
2 │ │   a
3 │ │   b
  │ ┆
7 │ │   f
8 │ │   g
9 │ │ }
  │ ╰─^ this flow
`);
  });

  test("gives another file a frame of its own", () => {
    expect(
      render({
        text: 'import { A } from "./b.weave"',
        at: "A",
        other: "type _A = int",
        related: [{ at: "_A", in: "b.weave", message: "private" }],
      }),
    ).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:1:10
  │
1 │ import { A } from "./b.weave"
  │          ^
  │
  ┌─ b.weave:1:6
  │
1 │ type _A = int
  │      -- private
`);
  });

  test("offers a mend that the mark does not say", () => {
    expect(
      render({ text: "{ x }", at: "x", help: "A block.", fixes: [{ title: "write `{ x: x }` for a record", edits: [] }] }),
    ).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:1:3
  │
1 │ { x }
  │   ^
  │
  = A block.
  = help: write \`{ x: x }\` for a record
`);
  });

  test("points past the end of the file", () => {
    expect(render({ text: "flow main() {\n", at: "", label: "`}` is missing" })).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:2:1
  │
2 │
  │ ^ \`}\` is missing
`);
  });

  test("counts cells, not characters, for tabs and wide letters", () => {
    expect(render({ text: "\tlet 名前 = é + bad", at: "bad" })).toBe(`error[W0310]: This field does not exist
  ┌─ a.weave:1:15
  │
1 │     let 名前 = é + bad
  │                    ^^^
`);
  });

  test("shows control characters instead of sending them to the terminal", () => {
    expect(render({ text: 'let x = "\u001b[31m" + bad', at: "bad" })).toContain('let x = "\ufffd[31m" + bad\n  │                   ^^^\n');
  });

  test("cuts a long line around its mark", () => {
    const text = `let x = [${"1234, ".repeat(40)}bad, ${"5678, ".repeat(40)}]`;
    const out = render({ text, at: "bad", label: "here" }, { width: 60 });
    const [, , , line = "", marks = ""] = out.split("\n");
    expect(line).toMatch(/^1 │ ….*bad.*…$/u);
    expect(line.length).toBeLessThanOrEqual(60);
    expect(line.indexOf("bad")).toBe(marks.indexOf("^^^"));
  });

  test("cuts a line of megabytes as fast as a short one", () => {
    const text = `${"x".repeat(5_000_000)}bad${"y".repeat(5_000_000)}`;
    const out = render({ text, at: "bad" });
    expect(out.length).toBeLessThan(600);
    const [, , , line = "", marks = ""] = out.split("\n");
    expect(line.indexOf("bad")).toBe(marks.indexOf("^^^"));
  });

  test("wraps the help to the terminal", () => {
    const out = render({ text: "x", at: "x", help: "one two three four five six seven eight nine ten eleven twelve" }, { width: 46 });
    expect(out.split("\n").slice(6)).toEqual(["  = one two three four five six seven eight", "    nine ten eleven twelve", ""]);
  });

  test("needs no source to say what is wrong with a file", () => {
    const problem: Problem = {
      ...problemOf({ text: "x", at: "x", help: "Check the path." }),
      span: { file: "gone.weave", start: 0, end: 0 },
    };
    expect(renderProblems([problem], new Map())).toBe("error[W0310]: This field does not exist\n  ┌─ gone.weave\n  = Check the path.\n");
  });

  test("colours only when asked", () => {
    const plain = render({ text: "bad", at: "bad", help: "Help." });
    const colored = render({ text: "bad", at: "bad", help: "Help." }, { color: true });
    expect(colored).not.toBe(plain);
    expect(colored.replace(/\u001b\[[0-9;]*m/g, "")).toBe(plain);
  });
});

describe("problems as data", () => {
  test("have the shape of the language server protocol", () => {
    const each: Case = {
      text: "a\n  bad",
      at: "bad",
      label: "did you mean `b`?",
      related: [{ at: "a", message: "declared here" }],
      fixes: [{ title: "did you mean `b`?", edits: [{ span: { file: "a.weave", start: 4, end: 7 }, text: "b" }] }],
    };
    const range = { start: { line: 1, character: 2 }, end: { line: 1, character: 5 } };
    expect(toJson([problemOf(each)], new Map([["a.weave", sourceFile("a.weave", each.text)]]))).toEqual([
      {
        file: "a.weave",
        code: "W0310",
        severity: "error",
        message: "This field does not exist: did you mean `b`?",
        range,
        related: [
          { file: "a.weave", range: { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } }, message: "declared here" },
        ],
        help: null,
        fixes: [{ title: "Did you mean `b`?", edits: [{ file: "a.weave", range, newText: "b" }] }],
      },
    ]);
  });
});

test("problems are counted by kind", () => {
  const error = problemOf({ text: "x", at: "x" });
  expect(countProblems([])).toBeUndefined();
  expect(countProblems([error])).toBe("1 error");
  expect(countProblems([error, error, { ...error, severity: "warning" }])).toBe("2 errors and 1 warning");
});
