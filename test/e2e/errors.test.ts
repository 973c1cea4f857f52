/** What the commands on the pages of `docs/errors` print is what the pages show. */
import { describe, expect, test } from "vitest";
import { messageOfCommands, pageCodes, readPage } from "../../scripts/error-pages.js";

const root = process.getuid?.() === 0;
// Nothing is closed to the superuser.
const pages = pageCodes()
  .map(readPage)
  .filter((page) => page.commands !== undefined && page.code !== "W0910" && !(root && page.code === "W0953"));

describe("the commands of", () => {
  test.each(pages.map((page) => [page.code, page] as const))("%s", (_, page) => {
    expect(messageOfCommands(page)).toBe(page.message);
  });
});
