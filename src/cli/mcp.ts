/**
 * `weave mcp import`: asks an MCP server for its tools and writes their declarations, with types from their schemas, to
 * standard output or a new file. The server is an address, a program with its arguments, or one that a file declares.
 */
import { existsSync, writeFileSync } from "node:fs";
import { problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { declarationsOf, legalName, type ServerTool } from "../host/mcp/declare.js";
import { toolsOf } from "../host/mcp/inspect.js";
import { thrownMessage } from "../runtime/failure.js";
import { scrubber } from "../runtime/scrub.js";
import { serversOf } from "../runtime/servers.js";
import type { McpServer } from "../runtime/tool.js";
import { counted } from "./figures.js";
import { showErrors, showProblems } from "./problems.js";
import { loadProgram } from "./program.js";
import { dim, EXIT, type ExitCode, green, type Terminal } from "./terminal.js";

export interface ImportOptions {
  readonly name?: string;
  readonly only?: readonly string[];
  readonly env?: readonly string[];
  readonly header?: readonly string[];
  readonly out?: string;
}

interface Wanted {
  readonly server: McpServer;
  /** The server's declaration; undefined where a file has it. */
  readonly declaration: string | undefined;
  /** Names that the file has already. */
  readonly taken: ReadonlySet<string>;
}

export async function importTools(target: readonly string[], options: ImportOptions, to: Terminal): Promise<ExitCode> {
  const [first = ""] = target;
  const wanted = first.endsWith(".weave") ? declared(first, target.slice(1), options, to) : named(target, options, to);
  if (typeof wanted === "number") return wanted;
  const { out } = options;
  if (out !== undefined && existsSync(out)) {
    to.err(`error: ${out} is there already; nothing was written\n`);
    return EXIT.usage;
  }
  const { server, declaration, taken } = wanted;
  let tools: readonly ServerTool[];
  try {
    tools = await toolsOf(server, process.cwd());
  } catch (thrown) {
    const { text: clean } = scrubber([...Object.values(server.env), ...Object.values(server.headers)]);
    to.err(`error: ${clean(thrownMessage(thrown))}\n`);
    return EXIT.failed;
  }
  const chosen = options.only === undefined ? tools : tools.filter((tool) => options.only?.includes(tool.name));
  const unknown = options.only?.find((name) => !tools.some((tool) => tool.name === name));
  if (unknown !== undefined) {
    const names = tools.map((tool) => tool.name);
    const near = nearest(unknown, names);
    to.err(
      `error: ${server.name} has no tool ${unknown}${near === undefined ? `: it has ${names.join(", ")}` : `; did you mean ${near}?`}\n`,
    );
    return EXIT.usage;
  }
  const text = declarationsOf({ server: server.name, declaration, tools: chosen, taken });
  if (out === undefined) to.out(text);
  else writeFileSync(out, text, { flag: "wx" });
  const effects = chosen.filter((tool) => tool.annotations?.["readOnlyHint"] !== true).length;
  to.err(`${green("✓", to.color)} ${counted(chosen.length, "tool")} of ${server.name}${out === undefined ? "" : ` in ${out}`}\n`);
  if (effects > 0)
    to.err(
      `${dim(`  ${effects} with effects, since the server does not say that they only read; change what you know better`, to.color)}\n`,
    );
  return EXIT.done;
}

/** A server that a file declares. */
function declared(file: string, [name, ...more]: readonly string[], options: ImportOptions, to: Terminal): Wanted | ExitCode {
  if (more.length > 0 || options.name !== undefined || options.env !== undefined || options.header !== undefined) {
    to.err("error: after a file stands at most the name of one server that it declares; name, env and headers are in the file\n");
    return EXIT.usage;
  }
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  if (program.missing) return EXIT.usage;
  const { graph, modules } = program.compiled;
  if (graph === undefined) return EXIT.diagnostics;
  const found = problems();
  const names = Object.values(graph.mcps).map((ir) => ir.name);
  const wanted = name ?? (names.length === 1 ? names[0] : undefined);
  if (wanted === undefined || !names.includes(wanted)) {
    const near = wanted === undefined ? undefined : nearest(wanted, names);
    const which =
      names.length === 0
        ? `${file} declares no MCP server`
        : wanted === undefined
          ? `which server: ${names.join(", ")}?`
          : `${file} declares no MCP server ${wanted}${near === undefined ? "" : `; did you mean ${near}?`}`;
    to.err(`error: ${which}\n`);
    return EXIT.usage;
  }
  const mcps = Object.fromEntries(Object.entries(graph.mcps).filter(([, ir]) => ir.name === wanted));
  const [server] = serversOf({ ...graph, mcps }, (variable) => process.env[variable], found);
  if (server === undefined) {
    showProblems(found.list(), program.compiled.files, to);
    return EXIT.diagnostics;
  }
  const names2 = modules.get(graph.file)?.declarations.flatMap((decl) => ("name" in decl ? [decl.name.text] : [])) ?? [];
  return { server, declaration: undefined, taken: new Set(names2) };
}

/** A server by its address, or the program that it is. */
function named(target: readonly string[], options: ImportOptions, to: Terminal): Wanted | ExitCode {
  const [first = ""] = target;
  const url = /^https?:\/\//i.test(first) ? first : undefined;
  const headers = pairs(options.header ?? []);
  const wrong =
    url !== undefined && target.length > 1
      ? `nothing stands after an address, but there is ${target.slice(1).join(" ")}`
      : url === undefined && options.header !== undefined
        ? "headers are sent to an address; a program takes variables with --env"
        : url !== undefined && options.env !== undefined
          ? "variables are given to a program; an address takes headers with --header"
          : headers === undefined
            ? "a header is written --header Name=VARIABLE"
            : undefined;
  if (wrong !== undefined || headers === undefined) {
    to.err(`error: ${wrong}\n`);
    return EXIT.usage;
  }
  const variables = url === undefined ? (options.env ?? []).map((name): [string, string] => [name, name]) : headers;
  const unset = variables.find(([, variable]) => process.env[variable] === undefined);
  if (unset !== undefined) {
    to.err(`error: the environment variable ${unset[1]} is not set\n`);
    return EXIT.usage;
  }
  const name = options.name === undefined ? serverName(target) : legalName(options.name);
  const values = Object.fromEntries(variables.map(([key, variable]) => [key, process.env[variable] ?? ""]));
  const written = variables.map(([key, variable]) => `${JSON.stringify(key)}: secret(${JSON.stringify(variable)})`);
  const where = url === undefined ? `command: ${JSON.stringify(target)}` : `url: ${JSON.stringify(url)}`;
  const more = written.length === 0 ? "" : `, ${url === undefined ? "env" : "headers"}: { ${written.join(", ")} }`;
  return {
    server: {
      id: name,
      name,
      command: url === undefined ? target : undefined,
      url,
      env: url === undefined ? values : {},
      headers: url === undefined ? {} : values,
    },
    declaration: `mcp ${name} { ${where}${more} }`,
    taken: new Set(),
  };
}

function pairs(headers: readonly string[]): readonly [string, string][] | undefined {
  const out: [string, string][] = [];
  for (const header of headers) {
    const at = header.indexOf("=");
    if (at < 1 || at === header.length - 1) return undefined;
    out.push([header.slice(0, at), header.slice(at + 1)]);
  }
  return out;
}

/** `npx -y @scope/server-github` and `https://mcp.github.com/mcp` are both `github`. */
function serverName(target: readonly string[]): string {
  const [first = ""] = target;
  const host = URL.canParse(first) ? new URL(first).hostname : undefined;
  if (host !== undefined && host !== "") return legalName(host.split(".").at(-2) ?? host);
  const word = target.slice(1).find((part) => !part.startsWith("-")) ?? first;
  const parts = word.split(/[\\/]/).filter((part) => !/^(?:dist|build|src|index\.[cm]?[jt]s)?$/.test(part));
  const last = (parts.at(-1) ?? word).replace(/@[^@]*$/, "").replace(/\.[cm]?[jt]s$|\.py$/, "");
  return legalName(last.replace(/^(?:mcp-)?server-|^mcp-|-mcp(?:-server)?$|-server$/g, ""));
}
