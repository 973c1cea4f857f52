/**
 * Images, recordings and documents of a prompt, read before a request is sent: from a path inside the project, a public
 * address, or bytes. What a file is, is seen from its bytes, and it must be what its type says. Documents that are text
 * are sent as text. Sizes are limited; what is no such thing is told before anything is paid.
 */
import { readFile, stat } from "node:fs/promises";
import type { MediaKind } from "../../plan/ir.js";
import { mediaBytes } from "../../plan/request-size.js";
import { type CallFailure, failure, isFailure, thrownMessage } from "../../runtime/failure.js";
import type { Message, ModelRequest, UserPart } from "../../runtime/provider.js";
import { codeOf } from "../files.js";
import { sha256 } from "../sha256.js";
import { confined, type FileOptions } from "../tools/files.js";
import { nothingUsed } from "./provider-failure.js";
import { fetchPublic } from "./public-fetch.js";

export type ReadPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "file"; readonly mediaType: string; readonly data: Uint8Array; readonly name: string };

/** The parts of each message that holds media. */
export type ReadMedia = ReadonlyMap<Message, readonly ReadPart[]>;

const mostBytes = 20 * 1024 * 1024;
const fetchMs = 30_000;

/** Reads everything that a request shows beside its texts. */
export async function readMedia(
  request: ModelRequest,
  { provider, takes, files, signal }: { provider: string; takes: readonly MediaKind[]; files: FileOptions; signal: AbortSignal },
): Promise<ReadMedia> {
  const out = new Map<Message, readonly ReadPart[]>();
  for (const message of request.messages) {
    if (message.role !== "user" || message.parts === undefined) continue;
    const parts = message.parts.map(async (part): Promise<ReadPart> => {
      if (part.kind === "text") return part;
      if (!takes.includes(part.of)) throw unread("refused", `${provider} takes no ${plural[part.of]}`);
      return readOne(part, request, files, signal);
    });
    out.set(message, await Promise.all(parts));
  }
  return out;
}

const plural: Readonly<Record<MediaKind, string>> = { image: "images", audio: "audio", document: "documents" };
const singular: Readonly<Record<MediaKind, string>> = { image: "an image", audio: "audio", document: "a document" };

/** What is in a medium, as a hash; of an address the address itself, for nothing is asked. */
export async function mediumHash(value: unknown, of: MediaKind, files: FileOptions): Promise<string> {
  if (typeof value === "string" && isAddress(value)) return value;
  try {
    const { data } = await bytesOf({ kind: "media", of, value }, files, new AbortController().signal);
    return `sha256:${sha256(data)}`;
  } catch (thrown) {
    return `not readable: ${thrownMessage(thrown)}`;
  }
}

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

/** A failure before anything was sent. */
function unread(kind: CallFailure["kind"], message: string) {
  return { ...failure(kind, message), usage: nothingUsed };
}

type MediaPart = Extract<UserPart, { kind: "media" }>;

async function readOne(part: MediaPart, { model }: ModelRequest, files: FileOptions, signal: AbortSignal): Promise<ReadPart> {
  const { data, name, said } = await bytesOf(part, files, signal);
  if (data.length === 0) throw unread("assertion", `${name} is empty`);
  if (data.length > mostBytes) throw tooLarge(name);
  const mediaType = typeOf(data) ?? said ?? textType(data, name);
  const kind = mediaType === undefined ? undefined : kindOf(mediaType);
  if (mediaType === undefined || kind !== part.of)
    throw unread("assertion", `${name} is not ${singular[part.of]}: it is ${mediaType ?? "of a kind that is not known"}`);
  if (!mediaType.startsWith("text/") && mediaType !== "application/json") return { kind: "file", mediaType, data, name };
  // What it counts as was reserved for it.
  if (data.length > mediaBytes(model, part.of))
    throw unread(
      "context_too_long",
      `${name} is longer than the model ${model.name} takes (\`media.document\`): it has ${data.length} bytes`,
    );
  return { kind: "text", text: new TextDecoder().decode(data) };
}

interface Bytes {
  readonly data: Uint8Array;
  /** In messages. */
  readonly name: string;
  /** What whoever gave it says that it is. */
  readonly said?: string | undefined;
}

async function bytesOf({ of, value }: MediaPart, files: FileOptions, signal: AbortSignal): Promise<Bytes> {
  if (typeof value === "object" && value !== null && "data" in value) {
    const said = "media_type" in value ? String(value.media_type) : undefined;
    return { data: fromBase64(String(value.data), `the ${of}`), name: `the ${of}`, said };
  }
  const text = String(value);
  const inline = /^data:([\w.+-]+\/[\w.+-]+)?((?:;[\w=.+-]+)*?)(;base64)?,/i.exec(text.slice(0, 200));
  if (inline !== null) {
    const body = text.slice(inline[0].length);
    const data = inline[3] === undefined ? new TextEncoder().encode(decodeURIComponent(body)) : fromBase64(body, `the ${of}`);
    return { data, name: `the ${of}`, said: inline[1]?.toLowerCase() };
  }
  return isAddress(text) ? fetched(text, files.hosts ?? [], signal) : fromFile(text, of, files);
}

function fromBase64(text: string, name: string): Uint8Array {
  if (text.length > 1.4 * mostBytes) throw tooLarge(name);
  if (!/^[A-Za-z0-9+/\s_-]*={0,2}\s*$/.test(text)) throw unread("assertion", `the bytes of ${name} are not base64`);
  return new Uint8Array(Buffer.from(text, "base64"));
}

async function fromFile(path: string, of: MediaKind, files: FileOptions): Promise<Bytes> {
  try {
    const place = await confined(path, files);
    const { size } = await stat(place);
    if (size > mostBytes) throw tooLarge(path);
    return { data: new Uint8Array(await readFile(place)), name: path };
  } catch (thrown) {
    if (isFailure(thrown)) throw "usage" in thrown ? thrown : unread(thrown.kind, thrown.message);
    const code = codeOf(thrown);
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : thrownMessage(thrown);
    throw unread("tool_error", `the ${of} ${path} cannot be read: ${why}`);
  }
}

async function fetched(url: string, hosts: readonly string[], signal: AbortSignal): Promise<Bytes> {
  const shown = url.replace(/[?#].*$/, "").replace(/\/\/[^/@]*@/, "//");
  if (!URL.canParse(url)) throw unread("assertion", `${shown} is no address`);
  const late = AbortSignal.timeout(fetchMs);
  try {
    const { status, contentType, body } = await fetchPublic(url, hosts, AbortSignal.any([signal, late]));
    if (status < 200 || status >= 300) {
      body.destroy();
      throw unread(status >= 500 || status === 429 ? "unavailable" : "tool_error", `${shown} answered with ${status}`);
    }
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of body as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > mostBytes) throw tooLarge(shown);
      pieces.push(piece);
    }
    const said = contentType?.split(";")[0]?.trim().toLowerCase();
    return { data: new Uint8Array(Buffer.concat(pieces)), name: shown, said: said === "application/octet-stream" ? undefined : said };
  } catch (thrown) {
    if (isFailure(thrown)) throw "usage" in thrown ? thrown : unread(thrown.kind, `${shown} cannot be read: ${thrown.message}`);
    if (signal.aborted) throw unread("cancelled", "the request was aborted before it was sent");
    throw unread(
      late.aborted ? "timeout" : "unavailable",
      `${shown} cannot be read${late.aborted ? ` in ${fetchMs / 1000} seconds` : `: ${thrownMessage(thrown)}`}`,
    );
  }
}

function tooLarge(name: string) {
  return unread("context_too_long", `${name} is larger than ${mostBytes / 1024 / 1024} MB`);
}

/** How the files of each type begin: text at a place. */
const beginnings: readonly (readonly [type: string, at: number, text: string, also?: readonly [at: number, text: string]])[] = [
  ["image/png", 0, "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", 0, "\xff\xd8\xff"],
  ["image/gif", 0, "GIF8"],
  ["image/webp", 0, "RIFF", [8, "WEBP"]],
  ["image/heic", 4, "ftypheic"],
  ["image/avif", 4, "ftypavif"],
  ["image/tiff", 0, "II*\0"],
  ["image/tiff", 0, "MM\0*"],
  ["audio/wav", 0, "RIFF", [8, "WAVE"]],
  ["audio/mpeg", 0, "ID3"],
  ["audio/mpeg", 0, "\xff\xfb"],
  ["audio/mpeg", 0, "\xff\xf3"],
  ["audio/mpeg", 0, "\xff\xf2"],
  ["audio/ogg", 0, "OggS"],
  ["audio/flac", 0, "fLaC"],
  ["audio/mp4", 4, "ftypM4A"],
  ["audio/aac", 0, "\xff\xf1"],
  ["audio/aac", 0, "\xff\xf9"],
  ["audio/aiff", 0, "FORM", [8, "AIFF"]],
  ["application/pdf", 0, "%PDF-"],
];

/** What a file is by how it begins. */
export function typeOf(data: Uint8Array): string | undefined {
  const start = Buffer.from(data.subarray(0, 16)).toString("latin1");
  return beginnings.find(
    ([, at, text, also]) => start.startsWith(text, at) && (also === undefined || start.startsWith(also[1], also[0])),
  )?.[0];
}

const textTypes: Readonly<Record<string, string>> = {
  md: "text/markdown",
  csv: "text/csv",
  html: "text/html",
  xml: "text/xml",
  json: "application/json",
};

/** A text by its name; other files are texts if they are valid UTF-8 without zero bytes. */
function textType(data: Uint8Array, name: string): string | undefined {
  if (data.includes(0)) return undefined;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    return undefined;
  }
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return textTypes[extension] ?? "text/plain";
}

function kindOf(mediaType: string): MediaKind | undefined {
  if (mediaType.startsWith("image/") && mediaType !== "image/svg+xml") return "image";
  if (mediaType.startsWith("audio/")) return "audio";
  return mediaType.startsWith("text/") || mediaType === "application/pdf" || mediaType === "application/json" ? "document" : undefined;
}
