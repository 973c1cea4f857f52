/**
 * A server on this machine that speaks the interfaces of model providers and does what a test says: answer, refuse,
 * hang, break the connection in the middle. It keeps what it was asked. Closed after the test.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type Answer, errorBody, errorFrame, type Frame, framesOf, type Protocol } from "./model-frames.js";

export type Reply =
  | ({ readonly kind: "answer" } & Answer)
  | {
      readonly kind: "status";
      readonly status: number;
      readonly type?: string;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Instead of the interface's own form of an error. */
      readonly body?: string;
    }
  /** Takes the request and never answers. */
  | { readonly kind: "hang" }
  /** Half of an answer, then the connection breaks, the stream ends as if it were whole, or nothing more comes. */
  | { readonly kind: "half"; readonly text: string; readonly then: "break" | "end" | "hang" }
  /** Frames as they are. */
  | { readonly kind: "frames"; readonly frames: readonly Frame[] }
  /** Half of an answer, then an error in the stream. */
  | { readonly kind: "fault"; readonly text: string; readonly type: string; readonly message: string };

export interface Asked {
  readonly protocol: Protocol;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many forms
  readonly body: any;
}

export interface ModelServer {
  /** What a model of this protocol has as its `base_url`. */
  readonly url: (protocol: Protocol) => string;
  readonly asked: readonly Asked[];
  /** Resolves when the other side has gone away from a request, or got all of it. */
  readonly closed: (request: number) => Promise<void>;
  /** Resolves when so many requests have come. */
  readonly came: (count: number) => Promise<void>;
}

/** Starts a server; `replies` are given in turn, the last one again and again, or chosen by what is asked. */
export async function modelServer(replies: readonly Reply[] | ((asked: Asked, n: number) => Reply)): Promise<ModelServer> {
  const asked: Asked[] = [];
  const closings: Promise<void>[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const path = request.url ?? "";
      const protocol = protocolOf(path);
      const entry: Asked = { protocol, path, headers: request.headers, body: text === "" ? undefined : JSON.parse(text) };
      const n = asked.push(entry) - 1;
      closings[n] = new Promise((resolve) => response.on("close", resolve));
      const reply = typeof replies === "function" ? replies(entry, n) : replies[Math.min(n, replies.length - 1)];
      if (reply !== undefined) give(response, protocol, reply);
      for (const wake of waiting) wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: (protocol) => `http://127.0.0.1:${port}/${protocol === "google" ? "v1beta" : "v1"}`,
    asked,
    closed: (request) => closings[request] ?? Promise.reject(new Error(`request ${request} has not come`)),
    came: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (asked.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** An address on this machine where nobody listens. */
export async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return `http://127.0.0.1:${port}/v1`;
}

function protocolOf(path: string): Protocol {
  if (path.includes("/messages")) return "anthropic";
  if (path.includes("/responses")) return "openai";
  if (path.includes("/chat/completions")) return "openai_compatible";
  return "google";
}

function give(response: ServerResponse, protocol: Protocol, reply: Reply): void {
  switch (reply.kind) {
    case "hang":
      return;
    case "status": {
      const { status, type = "some_error", message = `status ${status}`, headers = {}, body } = reply;
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(body ?? JSON.stringify(errorBody(protocol, status, type, message)));
      return;
    }
    case "answer":
      stream(response, framesOf(protocol, reply));
      response.end();
      return;
    case "frames":
      stream(response, reply.frames);
      response.end();
      return;
    case "fault":
      stream(response, [...half(protocol, reply.text), errorFrame(protocol, reply.type, reply.message)]);
      response.end();
      return;
    case "half":
      stream(response, half(protocol, reply.text));
      if (reply.then === "end") response.end();
      // What was written is sent before the connection breaks.
      else if (reply.then === "break") setImmediate(() => setImmediate(() => response.destroy()));
      return;
  }
}

/** The frames of an answer up to the last one that carries text. */
function half(protocol: Protocol, text: string): readonly Frame[] {
  const frames = framesOf(protocol, { text });
  const last = text.slice(2 * Math.ceil(text.length / 3));
  const end = frames.findIndex(({ data }) => JSON.stringify(data).includes(JSON.stringify(last).slice(1, -1)));
  return frames.slice(0, end);
}

function stream(response: ServerResponse, frames: readonly Frame[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const { event, data } of frames) {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    response.write(`${event === undefined ? "" : `event: ${event}\n`}data: ${text}\n\n`);
  }
}
