/**
 * What may stand between the braces of a `model`, `mcp`, `agent` or `state`, and in the brackets of `module(…)`,
 * `exec(…)`, `http(…)` and `mcp(…)`: names, kinds of values, defaults. The checker, the lowering and the editor read it.
 */
import { DURATION, JSON_TYPE, list, MONEY, recordOf, STRING, type Type } from "./types.js";

export type PropertyKind =
  /** Any expression of a type; `constant` ones must be known at compile time, `secret` ones may be secret, `media` may stand in some. */
  | { readonly kind: "value"; readonly type: Type; readonly constant?: boolean; readonly secret?: boolean; readonly media?: boolean }
  | { readonly kind: "choice"; readonly of: readonly string[] }
  /** The name of a model, names of models, names of callables, the name of an MCP server. */
  | { readonly kind: "model" | "models" | "callables" | "server" }
  /** A list of texts, written out. */
  | { readonly kind: "argv" }
  /** A record or map whose values become text. */
  | { readonly kind: "texts"; readonly secret?: boolean }
  /** Any value that has a JSON form. */
  | { readonly kind: "json"; readonly constant?: boolean }
  /** A record literal with properties of its own. */
  | { readonly kind: "record"; readonly of: PropertyTable }
  /** A record literal of parameters, each with one of these words. */
  | { readonly kind: "params"; readonly of: readonly string[] };

export interface PropertySpec {
  readonly value: PropertyKind;
  readonly required?: boolean;
  /** As it would be written; for messages, docs and completion. */
  readonly form: string;
  /** What holds when it is left out, as it would be written. */
  readonly default?: string;
}

export type PropertyTable = ReadonlyMap<string, PropertySpec>;

const value = (type: Type): PropertyKind => ({ kind: "value", type });
const constant = (type: Type): PropertyKind => ({ kind: "value", type, constant: true });
const whole = (min: number): PropertyKind => constant({ kind: "int", min });
const TEXT = value(STRING);

function table(rows: Readonly<Record<string, PropertySpec>>): PropertyTable {
  return new Map(Object.entries(rows));
}

export const PRICE = table({
  /** Required together, unless there is a price of a request. */
  input: { value: constant(MONEY), form: "input: $1.00" },
  output: { value: constant(MONEY), form: "output: $5.00" },
  request: { value: constant(MONEY), form: "request: $0.25" },
  cached_input: { value: constant(MONEY), form: "cached_input: $0.10" },
  cache_write: { value: constant(MONEY), form: "cache_write: $1.25" },
});

const MEDIA = table({
  image: { value: whole(1), form: "image: 1_600" },
  audio: { value: whole(1), form: "audio: 120k" },
  document: { value: whole(1), form: "document: 200k" },
});

const TEMPERATURE: PropertySpec = { value: constant({ kind: "float", min: 0, max: 2 }), form: "temperature: 0" };
const MAX_OUTPUT: PropertySpec = { value: whole(1), form: "max_output: 4k" };

export const PROVIDERS = ["anthropic", "openai", "google", "openai_compatible", "command", "sim"] as const;

/** How a program that is a model gets its prompt, and how its answer is read. */
export const COMMAND_INPUTS = ["stdin", "argument"] as const;
export const COMMAND_OUTPUTS = ["auto", "text", "json"] as const;

export const modelProperties: PropertyTable = table({
  provider: { value: { kind: "choice", of: PROVIDERS }, form: 'provider: "anthropic"' },
  name: { value: constant(STRING), form: 'name: "claude-haiku-4-5-20251001"' },
  base_url: { value: TEXT, form: 'base_url: "http://127.0.0.1:11434/v1"' },
  api_key: { value: { kind: "value", type: { kind: "secret", of: STRING }, secret: true }, form: 'api_key: secret("API_KEY")' },
  command: { value: { kind: "argv" }, form: 'command: ["my-model", "--json"]' },
  env: { value: { kind: "texts", secret: true }, form: 'env: { API_KEY: secret("API_KEY") }' },
  input: { value: { kind: "choice", of: COMMAND_INPUTS }, form: 'input: "argument"', default: '"stdin"' },
  output: { value: { kind: "choice", of: COMMAND_OUTPUTS }, form: 'output: "json"', default: '"auto"' },
  price: { value: { kind: "record", of: PRICE }, form: "price: { input: $1.00, output: $5.00 }" },
  media: { value: { kind: "record", of: MEDIA }, form: "media: { image: 1_600 }" },
  context: { value: whole(1), form: "context: 200k" },
  max_output: MAX_OUTPUT,
  temperature: TEMPERATURE,
  token_factor: { value: constant({ kind: "float", min: 0 }), form: "token_factor: 0.5" },
  overhead: { value: whole(0), form: "overhead: 400" },
  fallback: { value: { kind: "models" }, form: "fallback: [fast, other]" },
  balance: { value: { kind: "models" }, form: "balance: [fast, other]" },
  max_concurrent: { value: whole(1), form: "max_concurrent: 20" },
  tokens_per_minute: { value: whole(1), form: "tokens_per_minute: 400k" },
  latency: { value: constant(DURATION), form: "latency: 300ms" },
  seed: { value: constant({ kind: "int" }), form: "seed: 7" },
  options: { value: { kind: "json", constant: true }, form: 'options: { effort: "low" }' },
});

export const mcpProperties: PropertyTable = table({
  command: { value: { kind: "argv" }, form: 'command: ["npx", "-y", "server"]' },
  url: { value: TEXT, form: 'url: "https://example.com/mcp"' },
  env: { value: { kind: "texts", secret: true }, form: 'env: { TOKEN: secret("TOKEN") }' },
  headers: { value: { kind: "texts", secret: true }, form: 'headers: { Authorization: secret("TOKEN") }' },
});

/** How a parameter is made shorter where a prompt is too long for the model. */
export const SHRINKING = ["truncate", "summarise"] as const;

export const agentProperties: PropertyTable = table({
  model: { value: { kind: "model" }, required: true, form: "model: haiku" },
  prompt: { value: { kind: "value", type: STRING, media: true }, required: true, form: 'prompt: "…"' },
  system: { value: TEXT, form: 'system: "…"' },
  tools: { value: { kind: "callables" }, form: "tools: [read_text]", default: "[]" },
  max_turns: { value: whole(1), form: "max_turns: 10", default: "10" },
  max_calls_per_turn: { value: whole(1), form: "max_calls_per_turn: 8", default: "8" },
  max_tool_result: { value: whole(1), form: "max_tool_result: 64k", default: "64k" },
  repairs: { value: whole(0), form: "repairs: 2", default: "2" },
  temperature: TEMPERATURE,
  max_output: MAX_OUTPUT,
  examples: {
    value: value(list(recordOf({ input: JSON_TYPE, output: JSON_TYPE }))),
    form: 'examples: [{ input: { text: "…" }, output: true }]',
    default: "[]",
  },
  shrink: { value: { kind: "params", of: SHRINKING }, form: 'shrink: { text: "truncate" }' },
});

/** Numbers of an agent that hold where they are not written. */
export const AGENT_DEFAULTS = { maxTurns: 10, maxCallsPerTurn: 8, maxToolResult: 64_000, repairs: 2 } as const;

export const stateProperties: PropertyTable = table({
  scope: { value: { kind: "choice", of: ["run", "session", "persistent"] }, form: 'scope: "run"', default: '"run"' },
});

export interface Binding {
  /** Names of the arguments that may stand without a name, in order. */
  readonly positional: readonly string[];
  readonly args: PropertyTable;
  readonly form: string;
}

export const HTTP_METHODS = ["get", "post", "put", "patch", "delete"] as const;

export const bindings: Readonly<Record<string, Binding>> = {
  module: {
    positional: ["file"],
    form: 'module("./tools.ts", export: "name")',
    args: table({
      file: { value: constant(STRING), required: true, form: '"./tools.ts"' },
      export: { value: constant(STRING), form: 'export: "name"' },
    }),
  },
  exec: {
    positional: ["argv"],
    form: 'exec(["wc", "-w", "{{path}}"], cwd: "…", input: "…", env: { … }, parse: "text")',
    args: table({
      argv: { value: { kind: "argv" }, required: true, form: '["wc", "-w", "{{path}}"]' },
      cwd: { value: value({ kind: "union", of: [STRING, { kind: "null" }] }), form: 'cwd: "…"' },
      input: { value: value({ kind: "union", of: [STRING, { kind: "null" }] }), form: 'input: "…"' },
      env: { value: { kind: "texts", secret: true }, form: 'env: { LANG: "C" }' },
      parse: { value: { kind: "choice", of: ["text", "json", "lines"] }, form: 'parse: "json"' },
    }),
  },
  http: {
    positional: [],
    form: 'http(get: "https://example.com/{{id}}", query: { … }, headers: { … }, body: { … }, pick: "items")',
    args: table({
      ...Object.fromEntries(HTTP_METHODS.map((method) => [method, { value: TEXT, form: `${method}: "https://example.com/{{id}}"` }])),
      query: { value: { kind: "texts" }, form: "query: { q: query }" },
      headers: { value: { kind: "texts", secret: true }, form: 'headers: { Authorization: "…" }' },
      body: { value: { kind: "json" }, form: "body: { title }" },
      pick: { value: constant(STRING), form: 'pick: "data.items"' },
    }),
  },
  mcp: {
    positional: ["server", "tool"],
    form: 'mcp(server, "tool", args: { … })',
    args: table({
      server: { value: { kind: "server" }, required: true, form: "server" },
      tool: { value: constant(STRING), required: true, form: '"tool"' },
      args: { value: { kind: "json" }, form: 'args: { "file-name": name }' },
    }),
  },
};
