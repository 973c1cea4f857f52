/** `weave explain`: the page of a diagnostic. The pages ship with the package, so it works offline. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nearest } from "../diagnostics/suggest.js";
import { packageRoot } from "../host/files.js";
import { bold, cyan, EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Prints the page of a code. */
export async function explain(name: string, to: Terminal): Promise<ExitCode> {
  const code = /^\d+$/.test(name) ? `W${name.padStart(4, "0")}` : name.toUpperCase();
  const folder = join(packageRoot(), "docs", "errors");
  const page = join(folder, `${code}.md`);
  if (!/^W\d{4}$/.test(code) || !existsSync(page)) {
    const codes = existsSync(folder) ? readdirSync(folder).map((file) => file.replace(/\.md$/, "")) : [];
    const near = nearest(
      code,
      codes.filter((each) => /^W\d{4}$/.test(each)),
    );
    to.err(`error: there is no diagnostic ${code}${near === undefined ? "" : ` (Did you mean ${near}?)`}\n`);
    return EXIT.usage;
  }
  to.out(forTerminal(readFileSync(page, "utf8"), to.outColor));
  return EXIT.done;
}

/** Markdown as a terminal shows it: headings and code stand out, fences are left out. */
function forTerminal(text: string, color: boolean): string {
  let fenced = false;
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      fenced = !fenced;
      continue;
    }
    if (fenced) lines.push(line === "" ? "" : `    ${line}`);
    else if (line.startsWith("#")) lines.push(bold(line.replace(/^#+ /, ""), color));
    else lines.push(line.replace(/`([^`]+)`/g, (whole, inner: string) => (color ? cyan(inner, true) : whole)));
  }
  return lines.join("\n");
}
