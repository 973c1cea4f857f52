/** Checks that every relative link in the project's Markdown leads to a file, and every `#anchor` to a heading of it. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const skipped = new Set(["node_modules", "dist", "coverage", ".git", ".weave", "golden"]);

function* markdown(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && !skipped.has(entry.name)) yield* markdown(join(folder, entry.name));
    else if (entry.isFile() && entry.name.endsWith(".md")) yield join(folder, entry.name);
  }
}

const withoutCode = (text: string): string => text.replace(/^(```|~~~)[\s\S]*?^\1[^\S\n]*$/gm, "").replace(/`[^`\n]*`/g, "");

function anchors(path: string): ReadonlySet<string> {
  const found = new Set<string>();
  const text = readFileSync(path, "utf8").replace(/^(```|~~~)[\s\S]*?^\1[^\S\n]*$/gm, "");
  for (const [, heading = ""] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let name = slug;
    for (let i = 1; found.has(name); i++) name = `${slug}-${i}`;
    found.add(name);
  }
  for (const [, id = ""] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) found.add(id);
  return found;
}

let links = 0;
const broken: string[] = [];
for (const file of markdown(root)) {
  for (const [, target = ""] of withoutCode(readFileSync(file, "utf8")).matchAll(/\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)(?: "[^"]*")?\)/g)) {
    if (/^[a-z][a-z+.-]*:/i.test(target)) continue;
    links++;
    const [path = "", anchor] = target.split("#");
    const to = path === "" ? file : resolve(dirname(file), decodeURIComponent(path));
    if (!existsSync(to)) broken.push(`${relative(root, file)}: ${target}: no such file`);
    else if (anchor !== undefined && statSync(to).isFile() && to.endsWith(".md") && !anchors(to).has(anchor)) {
      broken.push(`${relative(root, file)}: ${target}: no such heading`);
    }
  }
}
for (const line of broken) console.error(line);
console.error(`${links} links, ${broken.length} broken`);
process.exitCode = broken.length === 0 ? 0 : 1;
