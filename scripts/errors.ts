/** Writes the message of every page in `docs/errors` anew from its failing program, and lists the codes without a page. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { d } from "../src/diagnostics/catalogue/catalogue.js";
import { FOLDER, messageOf, pageCodes, readPage, withMessage } from "./error-pages.js";

const pages = pageCodes();
let changed = 0;
for (const code of pages) {
  const page = readPage(code);
  if (page.failing === undefined) continue;
  const text = withMessage(page, messageOf(page.failing, code));
  if (text === page.text) continue;
  writeFileSync(join(FOLDER, `${code}.md`), text);
  changed++;
}
const missing = Object.values(d)
  .map(({ code }) => code)
  .filter((code) => !pages.includes(code));
console.error(`${pages.length} pages, ${changed} changed`);
if (missing.length > 0) console.error(`without a page: ${missing.sort().join(" ")}`);
