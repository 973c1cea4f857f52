/** W0970 to W0979: declarations of tools that differ from what their MCP server has, found by `weave check --online`. */
import { error, warning } from "./define.js";

const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");

export const onlineProblems = {
  serverUnreachable: error<{ server: string; reason: string }>("W0970", {
    title: ({ server }) => `The MCP server \`${server}\` cannot be asked`,
    label: "declared here",
    help: ({ reason }) => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
  }),
  serverToolMissing: error<{ server: string; tool: string; near: string | undefined; tools: readonly string[] }>("W0971", {
    title: ({ server, tool }) => `The MCP server \`${server}\` has no tool "${tool}"`,
    label: ({ near }) => (near === undefined ? "no such tool" : `did you mean "${near}"?`),
    help: ({ tools }) => (tools.length === 0 ? "It has no tools." : `It has ${tools.map((tool) => `"${tool}"`).join(", ")}.`),
  }),
  serverParamMissing: error<{ tool: string; params: readonly { readonly name: string; readonly type: string }[] }>("W0972", {
    title: ({ tool, params }) =>
      `The server's tool "${tool}" needs ${list(params.map(({ name }) => name))}, which ${params.length === 1 ? "is" : "are"} not declared`,
    label: "a call would be refused",
    help: ({ params }) =>
      `Add ${params.map(({ name, type }) => `\`${name}: ${type}\``).join(", ")}, or write the declarations anew with \`weave mcp import\`.`,
  }),
  serverParamUnknown: warning<{ tool: string; unknown: readonly string[]; near: string | undefined; names: readonly string[] }>("W0973", {
    title: ({ tool, unknown }) => `The server's tool "${tool}" does not know ${list(unknown)}`,
    label: ({ near }) => (near === undefined ? "not taken" : `did you mean \`${near}\`?`),
    help: ({ names }) => (names.length === 0 ? "It takes nothing." : `It takes ${list(names)}.`),
  }),
  serverParamType: error<{
    tool: string;
    params: readonly { readonly name: string; readonly declared: string; readonly reason: string }[];
  }>("W0974", {
    title: ({ tool, params }) =>
      `${list(params.map(({ name }) => name))} ${params.length === 1 ? "does" : "do"} not fit what the server's tool "${tool}" takes`,
    label: "a call would be refused",
    help: ({ params }) => params.map(({ name, declared, reason }) => `\`${name}\` is declared as ${declared}: ${reason}.`).join("\n"),
  }),
  serverResultType: error<{ tool: string; declared: string; reason: string }>("W0975", {
    title: ({ tool }) => `The server's tool "${tool}" gives something else than is declared`,
    label: ({ declared }) => `declared to give ${declared}`,
    help: ({ reason }) => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`,
  }),
  serverToolChanges: warning<{ tool: string; name: string; reads: boolean; destructive: boolean }>("W0976", {
    title: ({ tool, reads }) =>
      `The server's tool "${tool}" may change something, but is declared ${reads ? "`@reads`" : "without an effect"}`,
    label: ({ destructive }) =>
      destructive ? "the server says that it can destroy something" : "the server does not say that it only reads",
    help: ({ name, reads }) =>
      `Declare it \`effect tool ${name}\`${reads ? " without `@reads`" : ""}: only then is it made once, in order, and not again after a failure.`,
  }),
} as const;
