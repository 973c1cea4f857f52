/** Images, recordings and documents on their way to each provider: what is sent, and what is refused before it costs. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { realClock } from "../../src/host/clock.js";
import { aiSdk } from "../../src/host/providers/ai-sdk.js";
import { typeOf } from "../../src/host/providers/media.js";
import { isPublic } from "../../src/host/providers/public-fetch.js";
import type { MediaKind, ModelIR } from "../../src/plan/ir.js";
import type { ModelRequest, UserPart } from "../../src/runtime/provider.js";
import { type Protocol, protocols } from "../support/model-frames.js";
import { modelServer } from "../support/model-server.js";

/** One red pixel. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
const wav = Buffer.concat([Buffer.from("RIFF\x24\0\0\0WAVEfmt "), Buffer.alloc(20)]);
const pdf = Buffer.from("%PDF-1.4\n%%EOF\n");

/** A project with one file of each kind. */
function project(): string {
  const outside = mkdtempSync(join(tmpdir(), "weave-media-"));
  onTestFinished(() => rmSync(outside, { recursive: true, force: true }));
  const folder = join(outside, "project");
  mkdirSync(folder);
  writeFileSync(join(folder, "red.png"), Buffer.from(png, "base64"));
  writeFileSync(join(folder, "said.wav"), wav);
  writeFileSync(join(folder, "paper.pdf"), pdf);
  writeFileSync(join(folder, "notes.md"), "# Notes\nAll is well.\n");
  writeFileSync(join(folder, "empty.png"), "");
  writeFileSync(join(folder, "mixed.bin"), Buffer.from([1, 0, 2, 0]));
  writeFileSync(join(outside, "secret.png"), Buffer.from(png, "base64"));
  symlinkSync(join(outside, "secret.png"), join(folder, "link.png"));
  return folder;
}

const medium = (of: MediaKind, value: unknown): UserPart => ({ kind: "media", of, value });

async function show(
  protocol: Protocol,
  parts: readonly UserPart[],
  options: {
    readonly media?: ModelIR["media"];
    readonly folder?: string;
    readonly hosts?: readonly string[];
    readonly worktree?: string;
  } = {},
) {
  const server = await modelServer([{ kind: "answer", text: "seen" }]);
  const model: ModelIR = {
    id: "m",
    name: "m",
    span: { file: "a.weave", start: 0, end: 1 },
    provider: protocol,
    model: protocol === "anthropic" ? "claude-haiku-4-5-20251001" : "m",
    media: options.media ?? { image: 1_000, audio: 1_000, document: 1_000 },
    options: {},
  };
  const request: ModelRequest = {
    model,
    agent: "A",
    path: "main/A",
    attempt: 1,
    turn: 1,
    seed: 1,
    system: undefined,
    messages: [{ role: "user", text: "shown", parts }],
    schema: undefined,
    answer: { kind: "string" },
    types: {},
    tools: [],
    temperature: undefined,
    maxOutput: 500,
    inputBound: 1000,
    apiKey: undefined,
    baseUrl: server.url(protocol),
    limits: { calls: 8, turns: 0, repairs: 2 },
  };
  const files = { directory: options.folder ?? project(), allowed: [], hosts: options.hosts ?? [] };
  const asking = aiSdk(protocol, { key: "test-key-0123456789", baseUrl: undefined }, files).ask(request, {
    signal: new AbortController().signal,
    clock: realClock(),
    onAbort: () => undefined,
    onDelta: () => undefined,
    ...(options.worktree === undefined ? {} : { directory: options.worktree }),
  });
  return { asking, server };
}

async function sent(protocol: Protocol, parts: readonly UserPart[], options: Parameters<typeof show>[2] = {}): Promise<string> {
  const { asking, server } = await show(protocol, parts, options);
  expect((await asking).text).toBe("seen");
  return JSON.stringify(server.asked[0]?.body);
}

async function refused(protocol: Protocol, part: UserPart, options: Parameters<typeof show>[2] = {}) {
  const { asking, server } = await show(protocol, [part], options);
  const failed = await asking.then(
    () => Promise.reject(new Error("it was sent")),
    (thrown: unknown) => thrown,
  );
  expect(server.asked).toEqual([]);
  expect(failed).toMatchObject({ usage: { inputTokens: 0, outputTokens: 0 } });
  return failed as { readonly kind: string; readonly message: string };
}

const supports: Readonly<Record<Protocol, readonly MediaKind[]>> = {
  anthropic: ["image", "document"],
  openai: ["image", "document"],
  google: ["image", "audio", "document"],
  openai_compatible: ["image", "audio", "document"],
};

describe.each(protocols)("%s", (protocol) => {
  test("is shown images and documents among the texts, in order", async () => {
    const body = await sent(protocol, [
      { kind: "text", text: "Before. " },
      medium("image", "red.png"),
      { kind: "text", text: "Between. " },
      medium("document", "paper.pdf"),
      medium("document", "notes.md"),
    ]);
    const places = ["Before. ", png, "Between. ", pdf.toString("base64"), "All is well."].map((part) => body.indexOf(part));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(body).toContain("image/png");
    if (protocol !== "openai_compatible") expect(body).toContain("application/pdf");
  });

  test("takes audio, or says that it does not", async () => {
    if (supports[protocol].includes("audio")) expect(await sent(protocol, [medium("audio", "said.wav")])).toContain(wav.toString("base64"));
    else
      expect(await refused(protocol, medium("audio", "said.wav"))).toMatchObject({
        kind: "refused",
        message: `${protocol} takes no audio`,
      });
  });
});

describe("a medium", () => {
  test("is a path, an address, an inline address or its bytes", async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      response.end(Buffer.from(png, "base64"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png`;
    for (const value of [url, `data:image/png;base64,${png}`, { data: png, media_type: "image/png" }])
      expect(await sent("anthropic", [medium("image", value)], { hosts: ["127.0.0.1"] })).toContain(png);
  });

  test("is read from the worktree that the call works in", async () => {
    const worktree = project();
    writeFileSync(join(worktree, "notes.md"), "As changed in the worktree.");
    expect(await sent("anthropic", [medium("document", "notes.md")], { worktree })).toContain("As changed in the worktree.");
  });

  test("is not fetched from this machine or its network, by number, by name or by being sent on, unless the host is allowed", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      const to = new URL(request.url ?? "/", "http://x").searchParams.get("to");
      if (to === null) response.end(Buffer.from(png, "base64"));
      else response.writeHead(302, { location: to }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const { port } = server.address() as AddressInfo;
    for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"]) {
      const failed = await refused("anthropic", medium("image", `http://${host}:${port}/a.png?key=1`));
      expect(failed, host).toMatchObject({ kind: "denied" });
      expect(failed.message, host).toMatch(/is no host of the public internet \([\d.:a-f]+\).*`--allow-host \S+` allows it/);
      expect(failed.message).not.toContain("key=1");
    }
    expect(asked).toEqual([]);
    // Allowed is what was named, not where it sends on to.
    const away = await refused("anthropic", medium("image", `http://localhost:${port}/a?to=http://127.0.0.1:${port}/b`), {
      hosts: [`localhost:${port}`],
    });
    expect(away).toMatchObject({ kind: "denied" });
    expect(asked).toEqual([`/a?to=http://127.0.0.1:${port}/b`]);
    const file = await refused("anthropic", medium("image", `http://localhost:${port}/a?to=file:///etc/passwd`), { hosts: ["localhost"] });
    expect(file).toMatchObject({ kind: "denied" });
    expect(await sent("anthropic", [medium("image", `http://localhost:${port}/a?to=/b`)], { hosts: [`localhost:${port}`] })).toContain(png);
  });

  test.each([
    ["8.8.8.8", true],
    ["172.15.0.1", true],
    ["172.16.0.1", false],
    ["100.100.100.200", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["2606:4700::1111", true],
    ["64:ff9b::8.8.8.8", true],
    ["64:ff9b::a00:1", false],
    ["::ffff:8.8.8.8", true],
    ["::ffff:10.0.0.1", false],
    ["::", false],
    ["fd00::1", false],
    ["fe80::1%eth0", false],
    ["localhost", false],
  ])("at %s is %s", (address, open) => {
    expect(isPublic(address)).toBe(open);
  });

  test.each<[string, MediaKind, unknown, string, string]>([
    ["is not there", "image", "none.png", "tool_error", "the image none.png cannot be read: there is no such file"],
    ["is empty", "image", "empty.png", "assertion", "empty.png is empty"],
    ["is something else", "image", "paper.pdf", "assertion", "paper.pdf is not an image: it is application/pdf"],
    [
      "is something else by its bytes",
      "document",
      { data: png, media_type: "application/pdf" },
      "assertion",
      "the document is not a document: it is image/png",
    ],
    ["is unknown", "audio", "mixed.bin", "assertion", "mixed.bin is not audio: it is of a kind that is not known"],
    ["is no base64", "image", { data: "***", media_type: "image/png" }, "assertion", "the bytes of the image are not base64"],
    [
      "is outside the project",
      "image",
      "../secret.png",
      "denied",
      "../secret.png is outside the project; `--allow-path ../secret.png` allows it",
    ],
    [
      "is outside the project by a link",
      "image",
      "link.png",
      "denied",
      "link.png is outside the project; `--allow-path link.png` allows it",
    ],
    ["has no address", "image", "http://", "assertion", "http:// is no address"],
  ])("that %s is told before anything is sent", async (_, of, value, kind, message) => {
    expect(await refused("google", medium(of, value))).toMatchObject({ kind, message });
  });

  test("that is nowhere, or is refused there, is told before anything is sent", async () => {
    expect(await refused("google", medium("image", "http://127.0.0.1:1/a.png"), { hosts: ["127.0.0.1:1"] })).toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("http://127.0.0.1:1/a.png cannot be read: ") as unknown,
    });
    const server = createServer((_, response) => response.writeHead(404).end("none"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png`;
    expect(await refused("google", medium("image", url), { hosts: ["127.0.0.1"] })).toMatchObject({
      kind: "tool_error",
      message: `${url} answered with 404`,
    });
  });

  test("that is a longer text than was reserved for it is not sent", async () => {
    expect(await refused("anthropic", medium("document", "notes.md"), { media: { document: 10 } })).toMatchObject({
      kind: "context_too_long",
    });
  });

  test("that is larger than any provider takes is not read whole", async () => {
    const folder = project();
    writeFileSync(join(folder, "big.png"), Buffer.concat([Buffer.from(png, "base64"), Buffer.alloc(21 * 1024 * 1024)]));
    expect(await refused("anthropic", medium("image", "big.png"), { folder })).toMatchObject({ message: "big.png is larger than 20 MB" });
  });

  test("is known by how it begins", () => {
    expect(typeOf(Buffer.from(png, "base64"))).toBe("image/png");
    expect(typeOf(wav)).toBe("audio/wav");
    expect(typeOf(pdf)).toBe("application/pdf");
    expect(typeOf(Buffer.from("RIFF....WEBPVP8 "))).toBe("image/webp");
    expect(typeOf(Buffer.from("BM of a text"))).toBeUndefined();
  });
});
