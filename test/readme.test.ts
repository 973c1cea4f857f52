/** What README.md shows is what happens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../src/compile.js";
import { renderProblems } from "../src/diagnostics/render.js";
import { fileHost } from "../src/host/files.js";

const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
const block = (after: string): string => new RegExp(`${after}[\\s\\S]*?\`\`\`\\w*\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? "";
const program = block("within its budget\\.");

function problemsOf(text: string): string {
  const { problems, files } = compile("review.weave", fileHost(new Map([["review.weave", text]])));
  // That a budget may run short is a note, and what the program is about.
  return renderProblems(
    problems.filter((problem) => problem.severity !== "note"),
    files,
  );
}

test("the program compiles without a word", () => {
  expect(program).toContain("flow main");
  expect(problemsOf(program)).toBe("");
});

test("the message is the compiler's", () => {
  expect(problemsOf(program.replace("{{severity}}", "{{severty}}"))).toBe(block("## What the compiler says"));
});
