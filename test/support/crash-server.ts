/**
 * The world outside of a program in the crash matrix: tools and a model behind one HTTP server, which counts what it is
 * asked and can tell when the n-th call has come or was answered. What it answers depends on what it is asked alone.
 */
import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { framesOf } from "./model-frames.js";

/** A call of a tool or a request to the model, as it came. */
export interface Arrival {
  readonly of: "tool" | "model" | "web";
  /** Path of the call and attempt, or a hash of what a model was asked. */
  readonly id: string;
  readonly path: string;
  /** What the call gave; undefined when it failed. */
  readonly value: unknown;
  /** US dollars that the model bills. */
  readonly billed: number;
}

export interface CrashServer {
  readonly url: string;
  readonly arrivals: readonly Arrival[];
  /** Told each arrival before it is answered, and each answer when it was sent. */
  onMoment: ((when: "arrived" | "answered", n: number) => void) | undefined;
  readonly reset: () => void;
  /** Resolves when nobody is connected any more: what a process that died had sent has come by then. */
  readonly quiet: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Dollars per token of the model `m` of the matrix. */
const PRICE = { input: 1e-6, output: 5e-6 };
const TOKENS = { input: 100, output: 20 };

const BUSY = JSON.stringify({ error: { type: "server_error", code: "overloaded", message: "busy", param: null } });

export async function crashServer(): Promise<CrashServer> {
  let arrivals: Arrival[] = [];
  const made: CrashServer = {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    get arrivals() {
      return arrivals;
    },
    onMoment: undefined,
    reset: () => {
      arrivals = [];
      made.onMoment = undefined;
    },
    quiet: () =>
      new Promise((resolve) => {
        const look = (): void => {
          server.getConnections((_, count) => {
            if (count === 0) resolve();
            else setTimeout(look, 5);
          });
        };
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const reply = replyTo(request.url ?? "", text);
      const n = arrivals.push(reply.arrival);
      made.onMoment?.("arrived", n);
      setTimeout(() => {
        if (response.destroyed) return;
        reply.give(response);
        response.end(() => made.onMoment?.("answered", n));
      }, reply.ms);
    });
  });
  // On a busy machine a process may be slow to ask again: a connection that was closed meanwhile would be a failed call.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return made;
}

interface Given {
  readonly arrival: Arrival;
  readonly ms: number;
  readonly give: (response: ServerResponse) => void;
}

function replyTo(url: string, text: string): Given {
  if (url.includes("/chat/completions")) return modelReply(text);
  if (url.startsWith("/web/")) {
    const value = Number(url.slice("/web/".length)) + 100;
    return { arrival: { of: "web", id: url, path: url, value, billed: 0 }, ms: 4, give: json({ value }) };
  }
  const { tool, call, attempt, n } = JSON.parse(text) as { tool: string; call: string; attempt: number; n: number };
  const outcome = toolOutcome(tool, n, attempt);
  const value = "value" in outcome ? outcome.value : undefined;
  return {
    arrival: { of: "tool", id: `${call} ${attempt}`, path: call, value, billed: 0 },
    ms: tool === "slow" ? 60 : 4,
    give: json(outcome),
  };
}

const json =
  (body: unknown) =>
  (response: ServerResponse): void => {
    response.setHeader("content-type", "application/json");
    response.write(JSON.stringify(body));
  };

/** What each tool of the matrix does. */
function toolOutcome(tool: string, n: number, attempt: number): { readonly value: unknown } | { readonly failed: string } {
  if (tool === "odd" && n % 2 === 1) return { failed: "refused" };
  if (tool === "down") return { failed: "unavailable" };
  if (tool === "flaky" && attempt < 3) return { failed: "overloaded" };
  if (tool === "refuse") return { failed: "tool_error" };
  if (tool === "unput" || tool === "undo_post") return { value: null };
  return { value: tool === "work" ? n * 2 : n + 1 };
}

interface Asked {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

/**
 * Answers a number from 0 to 9 by what was asked; calls the first tool once where there are tools. The model `busy` never
 * answers, `sloppy` answers with words until it is told that it should not.
 */
function modelReply(text: string): Given {
  const { model, messages, tools } = JSON.parse(text) as Asked;
  const id = createHash("sha256")
    .update(JSON.stringify([messages, tools ?? []]))
    .digest("hex");
  if (model === "busy") {
    const arrival: Arrival = { of: "model", id, path: id, value: undefined, billed: 0 };
    return { arrival, ms: 4, give: (response) => response.writeHead(503, { "content-type": "application/json" }).write(BUSY) };
  }
  const sloppy = model === "sloppy" && !messages.some((message) => message.role === "assistant");
  const tool = tools?.[0]?.function.name;
  const calls = tool !== undefined && !messages.some((message) => message.role === "tool");
  const digit = Number.parseInt(id.slice(0, 4), 16) % 10;
  const answer = calls
    ? { calls: [{ id: "c1", name: tool, arguments: JSON.stringify({ n: digit }) }], usage: TOKENS }
    : { text: sloppy ? "some number" : String(digit), usage: TOKENS };
  const billed = TOKENS.input * PRICE.input + TOKENS.output * PRICE.output;
  return {
    arrival: { of: "model", id, path: id, value: digit, billed },
    ms: 4,
    give: (response) => {
      response.setHeader("content-type", "text/event-stream");
      for (const { data } of framesOf("openai_compatible", answer))
        response.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
    },
  };
}
