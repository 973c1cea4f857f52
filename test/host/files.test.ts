/** Files as the compiler gets them from a real disk. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileHost, packageRoot, readText, weaveFiles } from "../../src/host/files.js";
import { project } from "../support/cli.js";

describe("reading", () => {
  test("gives the text without a byte order mark", () => {
    const folder = project({ "a.weave": "\ufefflet A = 1\n" });
    expect(readText(join(folder, "a.weave"))).toEqual({ kind: "text", text: "let A = 1\n" });
  });

  test("says why a file has no text", () => {
    const folder = project({ "a.weave": Buffer.from([0x61, 0x62, 0xff, 0x63]), "cut.weave": Buffer.from([0x61, 0xe2, 0x82]) });
    expect(readText(join(folder, "none.weave"))).toEqual({ kind: "missing" });
    expect(readText(join(folder, "a.weave", "x.weave"))).toEqual({ kind: "missing" });
    expect(readText(folder)).toEqual({ kind: "folder" });
    expect(readText(join(folder, "a.weave"))).toEqual({ kind: "binary", offset: 2 });
    expect(readText(join(folder, "cut.weave"))).toEqual({ kind: "binary", offset: 1 });
  });

  test.skipIf(process.getuid?.() === 0)("says when the system refuses", () => {
    const folder = project({ "a.weave": "" });
    chmodSync(join(folder, "a.weave"), 0);
    expect(readText(join(folder, "a.weave"))).toEqual({ kind: "refused", reason: "permission denied" });
  });

  test("reads a file once", () => {
    const folder = project({ "a.weave": "1" });
    const host = fileHost();
    expect(host.read(join(folder, "a.weave"))).toBe("1");
    writeFileSync(join(folder, "a.weave"), "2");
    expect(host.read(join(folder, "a.weave"))).toBe("1");
  });
});

describe("resolving", () => {
  const folder = () =>
    project({
      "main.weave": "",
      "lib/a.weave": "",
      "node_modules/plain/package.json": "{}",
      "node_modules/plain/agents.weave": "",
      "node_modules/named/package.json": '{ "weave": "./flows/index.weave" }',
      "node_modules/@scope/many/package.json":
        '{ "exports": { ".": { "weave": "./a.weave" }, "./b": "./b.weave", "./c": { "default": "./c.js" } } }',
      "node_modules/broken/package.json": "{",
    });

  test("finds what stands beside a file", () => {
    const at = folder();
    const host = fileHost();
    expect(host.resolve(join(at, "main.weave"), "./lib/a.weave")).toBe(join(at, "lib/a.weave"));
    expect(host.resolve(join(at, "lib/a.weave"), "../main.weave")).toBe(join(at, "main.weave"));
    expect(host.resolve(join(at, "main.weave"), "./none.weave")).toBeUndefined();
  });

  test("finds what packages export", () => {
    const at = folder();
    const resolve = (specifier: string) =>
      fileHost()
        .resolve(join(at, "lib/a.weave"), specifier)
        ?.slice(at.length + 1);
    expect(resolve("plain/agents.weave")).toBe("node_modules/plain/agents.weave");
    expect(resolve("named")).toBe("node_modules/named/flows/index.weave");
    expect(resolve("@scope/many")).toBe("node_modules/@scope/many/a.weave");
    expect(resolve("@scope/many/b")).toBe("node_modules/@scope/many/b.weave");
    for (const specifier of ["@scope/many/c", "plain", "broken", "none", "named/../plain", "", "@scope"]) {
      expect(resolve(specifier), specifier).toBeUndefined();
    }
  });

  test("finds the standard library by name, and nothing outside it", () => {
    const host = fileHost();
    expect(host.resolve("main.weave", "std/models")).toBe("std:models");
    expect(host.read("std:models")).toContain("model ");
    for (const specifier of ["std/none", "std/../package", "std/"])
      expect(host.resolve("main.weave", specifier), specifier).toBeUndefined();
  });

  test("takes texts that stand in for files", () => {
    const host = fileHost(
      new Map([
        ["main.weave", "main"],
        ["lib/a.weave", "a"],
      ]),
    );
    expect(host.resolve("main.weave", "./lib/a.weave")).toBe("lib/a.weave");
    expect(host.read("lib/a.weave")).toBe("a");
  });
});

test("the files of a project are found, those that are installed, built or hidden are not", () => {
  const folder = project({
    "b.weave": "",
    "a/c.weave": "",
    "node_modules/x/d.weave": "",
    "dist/e.weave": "",
    ".git/f.weave": "",
    "a/notes.md": "",
  });
  mkdirSync(join(folder, "dir.weave"));
  expect(weaveFiles(folder).map((path) => path.slice(folder.length + 1))).toEqual(["a/c.weave", "b.weave"]);
});

test("the package knows where it is", () => {
  expect(readText(join(packageRoot(), "package.json"))).toMatchObject({ kind: "text", text: expect.stringContaining('"weave-lang"') });
});
