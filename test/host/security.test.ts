/** What an attacker, a careless author or a talkative tool may try: each stays where it is. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile as compileProgram } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import { cleaner } from "../../src/host/recording/questions.js";
import { compile, memoryStore, type RunError, type RunEvent, run } from "../../src/index.js";
import { keyForms } from "../../src/runtime/key-forms.js";
import { scrubber } from "../../src/runtime/scrub.js";

const folder = (): string => realpathSync(mkdtempSync(join(tmpdir(), "weave-sec-")));
const codesOf = (source: string): readonly string[] =>
  compileProgram("main.weave", fileHost(new Map([["main.weave", source]])))
    .problems.filter((p) => p.severity === "error")
    .map((p) => p.code);

/** A key of each form, put together here so that no scanner takes it for a real one. */
const keys: Readonly<Record<string, readonly string[]>> = {
  models: [
    ["sk", "ant", "api03", "A".repeat(40)].join("-"),
    ["sk", "or", "v1", "b".repeat(40)].join("-"),
    ["sk", "proj", "c".repeat(40)].join("-"),
    ["sk", "live", "d".repeat(24)].join("_"),
  ],
  google: [`AIza${"b".repeat(35)}`, `AIza${"b".repeat(30)}`],
  github: [`ghp_${"a1B2".repeat(9)}`],
  githubFine: [`github_pat_${"d_".repeat(20)}`],
  gitlab: [`glpat-${"x".repeat(20)}`],
  aws: [`AKIA${"ABCD1234".repeat(2)}`, `ASIA${"ABCD1234".repeat(2)}`],
  slack: [["xoxb", "123456789012", "abcdefABCDEF"].join("-"), `xoxo-${"1".repeat(12)}`],
  huggingFace: [`hf_${"a".repeat(34)}`],
  npm: [`npm_${"a".repeat(36)}`, `npm_${"a".repeat(30)}`],
  signed: [[`eyJ${"a".repeat(20)}`, `eyJ${"b".repeat(20)}`, "c".repeat(20)].join(".")],
  private: [
    ["-----BEGIN RSA PRIVATE", "KEY-----\nMIIEow\n-----END RSA PRIVATE", "KEY-----"].join(" "),
    ["-----BEGIN PRIVATE", "KEY-----\nMIIEow\n-----END PRIVATE", "KEY-----"].join(" "),
  ],
};
const forms = Object.entries(keys).flatMap(([name, each]) => each.map((key) => [name, key] as const));

describe("keys", () => {
  test("have a sample here of every form", () => {
    expect([...Object.keys(keys), "bearer"].sort()).toEqual(Object.keys(keyForms).sort());
  });

  test.each(forms)("of the form %s are taken out, with the text around them left: %s", (name, key) => {
    const { text, value } = scrubber([]);
    expect(key).toMatch(new RegExp(`^${keyForms[name]}$`));
    expect(text(`before ${key} after`)).toBe("before [redacted] after");
    expect(value({ a: [{ b: key }], c: 1, [key]: 2 })).toEqual({ a: [{ b: "[redacted]" }], c: 1, "[redacted]": 2 });
    expect(cleaner([])(`before ${key} after`)).toBe("before [redacted] after");
  });

  test("of headers are taken out, in what is told and in recordings", () => {
    const header = `authorization: Bearer ${"a/b+".repeat(8)}==`;
    expect(scrubber([]).text(header)).toBe("authorization: Bearer [redacted]");
    expect(cleaner([])(header)).toBe("authorization: Bearer [redacted]");
  });

  test("that only end with the text are hidden to its end", () => {
    const cut = ["-----BEGIN PRIVATE", "KEY-----\nMIIEow"].join(" ");
    expect(scrubber([]).text(`it says ${cut}`)).toBe("it says [redacted]");
  });

  test("are not seen where there are none", () => {
    const { value } = scrubber(["", "short"]);
    const plain = { a: ["task-skeleton", "short", "skip-this-and-that", "eyJhbGciOi"], b: { c: null }, d: "a".repeat(500) };
    expect(value(plain)).toBe(plain);
  });

  test("that a tool logs, emits, gives or fails with are in no event, failure or journal; the program has them", async () => {
    const key = keys["github"]?.[0] ?? "";
    const secret = "wool/and linen";
    const source = `let TOKEN = secret("TOKEN")
effect tool talk(token: secret string, text: string) -> string = module("host:app")
tool fails(text: string) -> string = module("host:app")
tool use(text: string) -> int = module("host:app")
flow main(text: string) -> { used: int, why: string } {
  let said = talk(TOKEN, text)
  { used: use(said), why: try { fails(said) } recover err { err.message } }
}`;
    const store = memoryStore();
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    const events: RunEvent[] = [];
    const handle = run(
      program.flow("main"),
      { text: key },
      {
        store,
        environment: { TOKEN: secret },
        onEvent: (event) => events.push(event),
        tools: {
          talk: ({ token, text }, { log, emit }) => {
            log(`token ${String(token)} ${String(text)}`);
            emit("seen", { token, encoded: encodeURIComponent(String(token)) });
            return `${String(text)} ${String(token)}`;
          },
          fails: ({ text }) => {
            throw new Error(`cannot take ${String(text)}`);
          },
          use: ({ text }) => String(text).length,
        },
      },
    );
    const { value } = await handle.result;
    expect(value).toEqual({ used: key.length + 1 + secret.length, why: "cannot take [redacted] [redacted]" });
    const told = JSON.stringify([events, store.load(handle.runId)?.events]);
    expect(told).not.toContain(key);
    expect(told).not.toContain(secret);
    expect(told).not.toContain(encodeURIComponent(secret));
  });

  test.each([
    ['tool t(token: secret string) -> string = exec(["curl", "-H", "{{token}}"])'],
    ['let T = secret("T")\ntool t() -> string = exec(["curl", "-H", T])'],
    ['tool t(token: secret string) -> string = http(get: "https://example.com/?key={{token}}")'],
    ['tool t(token: secret string) -> string = http(get: "https://example.com/", query: { key: token })'],
    ['let T = secret("T")\nflow main() -> string { "{{T}}" }'],
  ])("may not go where others can see them: %s", (source) => {
    expect(codesOf(source)).not.toEqual([]);
  });

  test("may go into the environment of a program and headers", () => {
    const source = `tool a(token: secret string) -> string = exec(["env"], env: { TOKEN: token })
tool b(token: secret string) -> string = http(get: "https://example.com/", headers: { Authorization: token })`;
    expect(codesOf(source)).toEqual([]);
  });
});

describe("a program", () => {
  const project = (): { readonly root: string; readonly outside: string } => {
    const outside = folder();
    const root = folder();
    mkdirSync(join(root, ".git"));
    mkdirSync(join(root, "sub"));
    writeFileSync(join(outside, "evil.weave"), "type Secret = { a: int }\n");
    writeFileSync(join(outside, "evil.mjs"), "export const t = () => 1;\n");
    return { root, outside };
  };
  const importing = (file: string, specifier: string) => {
    writeFileSync(file, `import { Secret } from ${JSON.stringify(specifier)}\nflow main(s: Secret) -> int { s.a }\n`);
    return compileProgram(file, fileHost())
      .problems.filter((p) => p.severity === "error")
      .map((p) => `${p.title} ${p.help ?? ""}`);
  };

  test("cannot import from outside of its project: by .., by an absolute path, through a link, from a package", () => {
    const { root, outside } = project();
    const main = join(root, "sub", "main.weave");
    const up = "../../../../../../../../..";
    expect(importing(main, `${up}${join(outside, "evil.weave")}`).join()).toContain("outside of the project");
    expect(importing(main, join(outside, "evil.weave"))).not.toEqual([]);
    symlinkSync(join(outside, "evil.weave"), join(root, "sub", "link.weave"));
    expect(importing(main, "./link.weave").join()).toContain("outside of the project");
    const pack = join(root, "node_modules", "pack");
    mkdirSync(pack, { recursive: true });
    writeFileSync(join(pack, "package.json"), JSON.stringify({ name: "pack", weave: `${up}${join(outside, "evil.weave")}` }));
    expect(importing(main, "pack")).not.toEqual([]);
    // What lies in the project is fine, also above the file.
    writeFileSync(join(root, "good.weave"), "type Secret = { a: int }\n");
    expect(importing(main, "../good.weave")).toEqual([]);
  });

  test("cannot load the module of a tool from outside of it", async () => {
    const { root, outside } = project();
    const main = join(root, "main.weave");
    symlinkSync(join(outside, "evil.mjs"), join(root, "link.mjs"));
    for (const path of [join("../../../../../../..", outside, "evil.mjs"), join(outside, "evil.mjs"), "./link.mjs"]) {
      writeFileSync(main, `tool t() -> int = module(${JSON.stringify(path)})\nflow main() -> int { t() }\n`);
      const program = await compile(main);
      await expect(run(program.flow("main")).result).rejects.toThrow("lies outside of the project");
    }
  });

  test("and its templates reach no prototypes", () => {
    for (const path of ["constructor", "__proto__", "toString", "constructor.name"])
      expect(codesOf(`flow main(x: { a: string }) -> string { "{{x.${path}}}" }`)).not.toEqual([]);
  });
});

test("a value stays in its argument of a program, whatever it holds, and there is no shell", async () => {
  const source = `tool t(x: string, y: string) -> json = exec(["node", "-p", "JSON.stringify(process.argv.slice(1))", "--", "a{{x}}b", "{{y}}"], parse: "json")
flow main(x: string, y: string) -> json { t(x, y) }`;
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const directory = folder();
  for (const x of [
    "",
    "a b",
    "$(touch made)",
    "`touch made`",
    "; touch made",
    "| touch made",
    "> made",
    '" "',
    "' '",
    "\\",
    "\n",
    "*",
    "{{y}}",
  ])
    expect((await run(program.flow("main"), { x, y: x }, { directory }).result).value, x).toEqual([`a${x}b`, x]);
  expect(existsSync(join(directory, "made"))).toBe(false);
});

test("templates reach no prototypes, whatever names values have", async () => {
  const source = `flow main(m: map<string>, j: json) -> string[] {
  ["{{#each m}}{{@key}}={{this}};{{/each}}", "{{json j}}", m["constructor"] ?? "none", m["toString"] ?? "none"]
}`;
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const odd = JSON.parse('{"__proto__": "p", "a": "b"}') as unknown;
  const { value } = await run(program.flow("main"), { m: odd, j: odd }).result;
  expect(value).toEqual(["__proto__=p;a=b;", '{"__proto__":"p","a":"b"}', "none", "none"]);
  expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
});

test("files stay in the project: through links to files, to folders, to what is not there yet, and in patterns", async () => {
  const outside = folder();
  const directory = folder();
  writeFileSync(join(outside, "secret.txt"), "key");
  symlinkSync(join(outside, "secret.txt"), join(directory, "file"));
  symlinkSync(outside, join(directory, "dir"));
  symlinkSync(join(outside, "made.txt"), join(directory, "dangling"));
  const source = `import { append_text, glob, grep, make_dir, read_text, remove, write_text } from "std/fs"
flow read(p: string) -> string { read_text(p) }
flow write(p: string) -> null { write_text(p, "x") }
flow append(p: string) -> null { append_text(p, "x") }
flow dir(p: string) -> null { make_dir(p) }
flow delete(p: string) -> null { remove(p) }
flow seek(p: string) -> string[] { glob(".", p) }
flow search(p: string) -> int { len(grep(".", p, "key")) }
`;
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const result = (name: string, p: string): Promise<unknown> =>
    run(program.flow(name), { p }, { directory }).result.then(({ value }) => value);
  for (const [name, p] of [
    ["read", "file"],
    ["read", "dir/secret.txt"],
    ["read", "../../../../../etc/passwd"],
    ["read", "/etc/passwd"],
    ["read", "a\0b"],
    ["write", "dangling"],
    ["append", "dangling"],
    ["write", "dir/new.txt"],
    ["dir", "dir/new"],
    ["delete", "dir/secret.txt"],
  ] as const)
    await expect(result(name, p), `${name} ${p}`).rejects.toMatchObject({ status: "failed" });
  expect(await result("seek", "dir/*")).toEqual([]);
  expect(await result("search", "dir/*.txt")).toBe(0);
  await expect(result("seek", "../*")).rejects.toMatchObject({ status: "failed" });
  expect([existsSync(join(outside, "made.txt")), readFileSync(join(outside, "secret.txt"), "utf8")]).toEqual([false, "key"]);
});

describe("requests", () => {
  const seen: IncomingMessage[] = [];
  let servers: readonly Server[] = [];
  let bases: readonly string[] = [];
  beforeAll(async () => {
    const listen = (server: Server): Promise<string> =>
      new Promise((resolve) =>
        server.listen(0, "127.0.0.1", () => {
          const address = server.address();
          resolve(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
        }),
      );
    const answer = (request: IncomingMessage, response: import("node:http").ServerResponse): void => {
      seen.push(request);
      const url = new URL(request.url ?? "/", "http://x");
      const to = url.searchParams.get("to");
      if (to !== null) response.writeHead(Number(url.searchParams.get("status") ?? 302), { location: to }).end();
      else if (url.pathname === "/latin")
        response.writeHead(200, { "content-type": "text/plain; charset=iso-8859-1" }).end(Buffer.from([0xe9]));
      else if (url.pathname === "/bytes") response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from([0x89, 0xff]));
      else response.end(url.pathname);
    };
    servers = [createServer(answer), createServer(answer)];
    bases = await Promise.all(servers.map(listen));
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const call = async (binding: string, params: string, inputs: Record<string, unknown>, result = "string") => {
    const names = params.split(", ").map((param) => param.split(":")[0] ?? "");
    const source = `let KEY = secret("KEY")\n${binding.startsWith("effect") ? "effect " : ""}tool t(${params}) -> ${result} = http(${binding.replace("effect ", "")})\nflow main(${params}) -> ${result} { t(${names.join(", ")}) }`;
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    return (await run(program.flow("main"), inputs, { environment: { KEY: "key-of-this-test" } }).result).value;
  };
  const failing = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      (value) => `no failure but ${JSON.stringify(value)}`,
      (error: RunError) => error.failure?.message ?? error.message,
    );

  test.each(["..", ".", "%2e%2e", "%2E."])("cannot be led to another path by %s", async (x) => {
    const told = await failing(call('get: "{{base}}/users/{{x}}/name"', "base: string, x: string", { base: bases[0], x }));
    expect(
      ["a value may not lead", 'no failure but "/users/%25'].some((start) => told.startsWith(start)),
      told,
    ).toBe(true);
  });

  test.each(["evil.example/", "evil.example#", "evil.example?", "user@evil.example", "evil.example:80", "evil.example\\"])(
    "cannot be led to another host by %s",
    async (x) => {
      const told = await failing(call('get: "http://{{sub}}{{x}}.localhost:1/"', "sub: string, x: string", { sub: "a", x }));
      expect(told).not.toContain("evil.example cannot be reached");
      expect(told).toMatch(/this is no address|localhost|evil/);
      expect(seen.some((request) => request.headers.host?.includes("evil"))).toBe(false);
    },
  );

  test("hold any value in the part that it stands in: of the path, the query, a header", async () => {
    const source = `tool t(base: string, x: string) -> string = http(get: "{{base}}/one/{{x}}/two", query: { q: x })
flow main(base: string, x: string) -> string { t(base, x) }`;
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    const awkward = fc.string({ unit: fc.constantFrom(..."ab/\\.?#&=%;:@ +é👍\"'\n\t{}[]<>|^`~"), minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        awkward.filter((x) => x !== "." && x !== ".."),
        async (x) => {
          seen.length = 0;
          await run(program.flow("main"), { base: bases[0], x }).result;
          const [path = "", query = ""] = (seen[0]?.url ?? "").split(/\?(.*)/s);
          const parts = path.split("/");
          expect([parts.length, parts[1], decodeURIComponent(parts[2] ?? ""), parts[3]]).toEqual([4, "one", x, "two"]);
          expect([...new URLSearchParams(query)]).toEqual([["q", x]]);
        },
      ),
      { numRuns: 40 },
    );
    const header = 'get: "{{base}}/a", headers: { "X-A": x }';
    for (const x of ["a\r\nX-Evil: 1", "a\nb", "a\0b"]) {
      seen.length = 0;
      expect(await failing(call(header, "base: string, x: string", { base: bases[0], x }))).not.toMatch(/^no failure/);
      expect(seen).toEqual([]);
    }
  });

  test("that are sent on to another origin leave their headers behind", async () => {
    seen.length = 0;
    const header = 'headers: { "X-Key": KEY, Accept: "text/x" }';
    const to = `${bases[1]}/there`;
    expect(await call(`get: "{{base}}/a", query: { to: to }, ${header}`, "base: string, to: string", { base: bases[0], to })).toBe(
      "/there",
    );
    expect(seen.map((request) => [request.headers["x-key"], request.headers.accept])).toEqual([
      ["key-of-this-test", "text/x"],
      [undefined, "text/x"],
    ]);
    seen.length = 0;
    await call(`get: "{{base}}/a", query: { to: to }, ${header}`, "base: string, to: string", { base: bases[0], to: "/here" });
    expect(seen.map((request) => request.headers["x-key"])).toEqual(["key-of-this-test", "key-of-this-test"]);
  });

  test("are not sent on for ever, nor with their body to others, nor to files", async () => {
    const get = (to: string): Promise<string> =>
      failing(call('get: "{{base}}/a", query: { to: to }', "base: string, to: string", { base: bases[0], to }));
    const around = `${bases[0]}/a?to=`;
    expect(await get(Array.from({ length: 7 }).reduce<string>((inner) => `${around}${encodeURIComponent(inner)}`, "/end"))).toContain(
      "more than 5 times",
    );
    expect(await get("file:///etc/passwd")).toContain("not as safe");
    const post = call('effect post: "{{base}}/a", query: { to: to, status: 307 }, body: { a: 1 }', "base: string, to: string", {
      base: bases[0],
      to: `${bases[1]}/x`,
    });
    expect(await failing(post)).toContain("which would be given its body");
  });

  test("answer in their own charset, and with bytes", async () => {
    expect(await call('get: "{{base}}/latin"', "base: string", { base: bases[0] })).toBe("é");
    expect(await call('get: "{{base}}/bytes"', "base: string", { base: bases[0] }, "image")).toEqual({
      data: "if8=",
      media_type: "image/png",
    });
    expect(await failing(call('get: "{{base}}/bytes"', "base: string", { base: bases[0] }))).toContain("did not answer with text in utf-8");
  });
});
