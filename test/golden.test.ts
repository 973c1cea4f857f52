/** The golden cases of `test/golden`, each a file that shows a source and what the compiler makes of it. */
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { worked } from "./support/golden.js";

const folder = join(import.meta.dirname, "golden");
const cases = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md"))
  .sort();

test.each(cases)("%s", async (path) => {
  const file = join(folder, path);
  await expect(await worked(file)).toMatchFileSnapshot(relative(import.meta.dirname, file));
});
