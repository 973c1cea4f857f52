/** Writes the message of every page in `docs/errors` anew from its failing program, the index of all, and lists the codes without a page. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { d } from "../src/diagnostics/catalogue/catalogue.js";
import { bundleIfStale } from "./build.js";
import {
  FOLDER,
  indexOf,
  messageOf,
  messageOfCommands,
  messageOfInputs,
  type Page,
  pageCodes,
  readPage,
  withMessage,
} from "./error-pages.js";

/** The message of a page as it is now; one that nothing on the page can cause stays as it was written. */
async function current(page: Page): Promise<string> {
  if (page.commands !== undefined) return page.code === "W0953" || page.code === "W0910" ? page.message : messageOfCommands(page);
  if (page.inputs !== undefined) return messageOfInputs(page);
  return page.failing === undefined ? page.message : messageOf(page.failing, page.code);
}

await bundleIfStale();
const pages = pageCodes();
let changed = 0;
for (const code of pages) {
  const page = readPage(code);
  const text = withMessage(page, await current(page));
  if (text === page.text) continue;
  writeFileSync(join(FOLDER, `${code}.md`), text);
  console.error(code);
  changed++;
}
writeFileSync(join(FOLDER, "README.md"), indexOf(pages.map(readPage)));
const missing = Object.values(d)
  .map(({ code }) => code)
  .filter((code) => !pages.includes(code));
console.error(`${pages.length} pages, ${changed} changed`);
if (missing.length > 0) console.error(`without a page: ${missing.sort().join(" ")}`);
