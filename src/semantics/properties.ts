/**
 * Properties of declarations and arguments of tool bindings: `checkProperties` and `checkBinding` report what is
 * unknown, missing, given twice or of another kind, and return the values by name for lowering. The tables are in
 * `property-table.ts`.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { Argument, Expr, Name, Property } from "../syntax/ast.js";
import {
  agentProperties,
  type Binding,
  bindings,
  HTTP_METHODS,
  mcpProperties,
  modelProperties,
  PRICE,
  type PropertySpec,
  type PropertyTable,
  stateProperties,
} from "./property-table.js";
import { expand, isError, JSON_TYPE, mapOf, STRING, type Type } from "./types.js";

/** What the checking of properties needs from the checker. */
export interface PropertyContext {
  readonly problems: Problems;
  /** Infers and reports where the value does not fit; `secret` says that a secret may stand there. */
  expect(expr: Expr, type: Type, secret: boolean, media?: boolean): Type;
  infer(expr: Expr, expected?: Type): Type;
  /** Whether an expression's value is known at compile time. */
  constant(expr: Expr): boolean;
  /** Each reports it when the expression names no such thing. */
  model(expr: Expr): void;
  callable(expr: Expr): void;
  server(expr: Expr): void;
}

export type Owner = "model" | "mcp" | "agent" | "state";
export type BindingKind = "module" | "exec" | "http" | "mcp";
export type Values = ReadonlyMap<string, Expr>;

const owners: Readonly<Record<Owner, { readonly table: PropertyTable; readonly name: string }>> = {
  model: { table: modelProperties, name: "a model" },
  mcp: { table: mcpProperties, name: "an MCP server" },
  agent: { table: agentProperties, name: "an agent" },
  state: { table: stateProperties, name: "a state" },
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Checks the properties of a declaration; `name` is where a missing one is reported. */
export function checkProperties(owner: Owner, name: Name, properties: readonly Property[], context: PropertyContext): Values {
  const { table: specs, name: what } = owners[owner];
  const values = checkTable(what, name.span, specs, properties, context);
  if (owner === "model") checkModelTogether(name, values, context);
  if (owner === "mcp") checkMcpTogether(name, values, context);
  return values;
}

interface Entry {
  readonly name: Name;
  readonly value: Expr;
}

function checkTable(what: string, at: Span, specs: PropertyTable, entries: readonly Entry[], context: PropertyContext): Values {
  const { problems } = context;
  const values = new Map<string, Expr>();
  let misspelt = false;
  for (const { name, value } of entries) {
    const spec = specs.get(name.text);
    if (name.text === "") continue;
    if (spec === undefined) {
      const alias = ALIASES.get(name.text);
      const near = alias !== undefined && specs.has(alias) ? alias : nearest(name.text, specs.keys());
      misspelt ||= near !== undefined;
      problems.report(
        d.unknownProperty,
        name.span,
        { owner: capital(what), name: name.text, near, names: [...specs.keys()] },
        { fixes: writing(name.span, near) },
      );
      continue;
    }
    if (values.has(name.text)) {
      problems.report(d.propertyTwice, name.span, { name: name.text });
      continue;
    }
    values.set(name.text, value);
    checkValue(name.text, spec, value, context);
  }
  // A misspelt name is most often the one that is missing.
  if (misspelt) return values;
  for (const [name, spec] of specs) {
    if (spec.required === true && !values.has(name))
      problems.report(d.propertyMissing, at, { owner: capital(what), name, form: spec.form });
  }
  return values;
}

/** What other tools call these properties. */
const ALIASES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    max_tokens: "max_output",
    maxTokens: "max_output",
    max_output_tokens: "max_output",
    maxOutputTokens: "max_output",
    context_window: "context",
    contextWindow: "context",
    instructions: "system",
    system_prompt: "system",
    systemPrompt: "system",
    system_message: "system",
    role: "system",
    user: "prompt",
    user_prompt: "prompt",
    template: "prompt",
    max_iterations: "max_turns",
    max_steps: "max_turns",
    maxSteps: "max_turns",
    few_shot: "examples",
    model: "name",
    apiKey: "api_key",
    api_base: "base_url",
    baseURL: "base_url",
    baseUrl: "base_url",
    endpoint: "base_url",
  }),
);

function checkValue(name: string, spec: PropertySpec, expr: Expr, context: PropertyContext): void {
  const { problems } = context;
  const { value: wanted, form } = spec;
  if (expr.kind === "Missing") return;
  const wrong = (what: string): void => problems.report(d.propertyForm, expr.span, { name, wanted: what, form });
  switch (wanted.kind) {
    case "value": {
      if (wanted.constant === true && !context.constant(expr)) {
        if (!isError(context.infer(expr))) problems.report(d.propertyConstant, expr.span, { name });
      } else context.expect(expr, wanted.type, wanted.secret === true, wanted.media === true);
      return;
    }
    case "choice": {
      if (expr.kind === "Text" && wanted.of.includes(expr.value)) {
        context.infer(expr);
        return;
      }
      const word = expr.kind === "Text" ? expr.value : expr.kind === "NameExpr" ? expr.name : undefined;
      const near = word === undefined ? undefined : wanted.of.includes(word) ? word : nearest(word, wanted.of);
      const found = expr.kind === "Text" ? JSON.stringify(expr.value) : word === undefined ? "This" : `\`${word}\``;
      const fixes = near === undefined ? [] : writing(expr.span, `"${near}"`);
      problems.report(d.propertyChoice, expr.span, { name, found, near, of: wanted.of }, { fixes });
      return;
    }
    case "model":
      context.model(expr);
      return;
    case "server":
      context.server(expr);
      return;
    case "models":
    case "callables":
      checkNames(wanted.kind, expr, wrong, context);
      return;
    case "argv":
      checkArgv(expr, wrong, context);
      return;
    case "texts":
      checkTexts(expr, wanted.secret === true, wrong, context);
      return;
    case "json": {
      const type = context.expect(expr, JSON_TYPE, false);
      if (wanted.constant === true && !isError(type) && !context.constant(expr)) problems.report(d.propertyConstant, expr.span, { name });
      return;
    }
    case "params": {
      if (expr.kind !== "Record" || expr.entries.length === 0 || expr.entries.some((e) => e.kind === "Spread")) {
        wrong("a record of parameters, written out");
        return;
      }
      for (const entry of expr.entries)
        if (entry.kind === "Field") checkValue(entry.name.text, { value: { kind: "choice", of: wanted.of }, form }, entry.value, context);
      return;
    }
    case "record":
      if (expr.kind !== "Record" || expr.entries.some((e) => e.kind === "Spread")) {
        wrong("a record, written out");
        return;
      }
      checkTable(
        `\`${name}\``,
        expr.span,
        wanted.of,
        expr.entries.flatMap((e) => (e.kind === "Field" ? [e] : [])),
        context,
      );
  }
}

function checkNames(kind: "models" | "callables", expr: Expr, wrong: (what: string) => void, context: PropertyContext): void {
  const many = kind === "models" ? "a list of models" : "a list of callables";
  if (expr.kind !== "List" || expr.elements.some((e) => e.spread)) {
    wrong(many);
    return;
  }
  if (kind === "models" && expr.elements.length === 0) wrong("a list of at least one model");
  for (const { value } of expr.elements) {
    if (value.kind === "Missing") continue;
    if (kind === "models") context.model(value);
    else if (value.kind === "Text") {
      const named = /^[A-Za-z_]\w*$/.test(value.value) ? value.value : undefined;
      context.problems.report(d.nameInQuotes, value.span, { name: named }, { fixes: writing(value.span, named) });
    } else context.callable(value);
  }
}

/** The program and its arguments, each a text of its own: nothing here ever meets a shell. */
function checkArgv(expr: Expr, wrong: (what: string) => void, context: PropertyContext): void {
  if (expr.kind !== "List" || expr.elements.some((e) => e.spread)) {
    wrong("a list of texts, written out");
    return;
  }
  if (expr.elements.length === 0) context.problems.report(d.bindingWithoutProgram, expr.span, {});
  for (const { value } of expr.elements) if (value.kind !== "Missing") context.expect(value, STRING, false);
}

const INSERTABLE: Type = { kind: "union", of: [STRING, { kind: "float" }, { kind: "bool" }, { kind: "null" }] };

/** A record of texts, numbers, booleans and nulls, or a map of texts. */
function checkTexts(expr: Expr, secret: boolean, wrong: (what: string) => void, context: PropertyContext): void {
  if (expr.kind === "Record") {
    for (const entry of expr.entries) {
      if (entry.kind === "Spread") checkTexts(entry.value, secret, wrong, context);
      else if (entry.value.kind !== "Missing")
        context.expect(entry.value, secret ? { kind: "secret", of: INSERTABLE } : INSERTABLE, secret);
    }
    return;
  }
  const type = expand(context.infer(expr));
  if (type.kind === "error" || type.kind === "map") {
    if (type.kind === "map") context.expect(expr, mapOf(INSERTABLE), secret);
    return;
  }
  if (type.kind !== "record") wrong("a record of texts");
}

// --------------------------------------------------------------------------------------------------- together

function checkModelTogether(name: Name, values: Values, context: PropertyContext): void {
  const { problems } = context;
  const provider = values.get("provider");
  const kind = provider?.kind === "Text" ? provider.value : undefined;
  const group = (["fallback", "balance"] as const).find((g) => values.has(g));
  if (group !== undefined) {
    const other = [...values.keys()].find((key) => key !== group && (key === "fallback" || key === "balance" || MEMBER_OWNED.has(key)));
    const expr = other === undefined ? undefined : values.get(other);
    if (other !== undefined && expr !== undefined) {
      const why = `A model with \`${group}\` stands for the models it lists; each of them has its own ${other === "fallback" || other === "balance" ? "settings" : `\`${other}\``}.`;
      problems.report(d.propertiesExclude, expr.span, { first: group, second: other, why });
    }
    return;
  }
  const missing = (key: string): void => {
    const spec = modelProperties.get(key);
    if (spec !== undefined && !values.has(key))
      problems.report(d.propertyMissing, name.span, { owner: "A model", name: key, form: spec.form });
  };
  missing("provider");
  checkPrice(values.get("price"), problems);
  if (kind === "command") missing("command");
  else if (kind !== "sim" && (kind !== undefined || provider === undefined)) missing("name");
  if (kind === "openai_compatible") missing("base_url");
  const only = (key: string, needs: readonly string[]): void => {
    const expr = values.get(key);
    if (expr !== undefined && kind !== undefined && !needs.includes(kind)) {
      problems.report(d.propertyOfOther, expr.span, { name: key, needs: needs.map((n) => `\`provider: "${n}"\``).join(" or ") });
    }
  };
  for (const key of ["command", "env", "input", "output"]) only(key, ["command"]);
  only("latency", ["sim"]);
  only("options", ["anthropic", "openai", "google", "openai_compatible", "sim"]);
  only("temperature", ["anthropic", "openai", "google", "openai_compatible", "sim"]);
  only("base_url", ["anthropic", "openai", "google", "openai_compatible"]);
  only("api_key", ["anthropic", "openai", "google", "openai_compatible"]);
}

/** What tokens cost, unless a request has a price of its own. */
function checkPrice(price: Expr | undefined, problems: Problems): void {
  if (price?.kind !== "Record") return;
  const names = price.entries.flatMap((entry) => (entry.kind === "Field" ? [entry.name.text] : []));
  if (names.some((name) => !PRICE.has(name))) return;
  const needed = names.includes("request") && !names.includes("input") && !names.includes("output") ? [] : ["input", "output"];
  for (const name of needed) {
    const form = PRICE.get(name)?.form ?? name;
    if (!names.includes(name)) problems.report(d.propertyMissing, price.span, { owner: "`price`", name, form });
  }
}

/** What belongs to the members of a fallback or balance, not to the group. */
const MEMBER_OWNED: ReadonlySet<string> = new Set([
  "provider",
  "name",
  "base_url",
  "api_key",
  "command",
  "env",
  "input",
  "output",
  "price",
  "media",
  "context",
  "token_factor",
  "overhead",
  "tokens_per_minute",
  "latency",
  "seed",
  "options",
]);

function checkMcpTogether(name: Name, values: Values, context: PropertyContext): void {
  const { problems } = context;
  const command = values.get("command");
  const url = values.get("url");
  if (command === undefined && url === undefined) {
    problems.report(d.propertyMissing, name.span, {
      owner: "An MCP server",
      name: "command` or `url",
      form: 'command: ["npx", "-y", "server"]',
    });
  }
  if (command !== undefined && url !== undefined) {
    problems.report(d.propertiesExclude, url.span, {
      first: "command",
      second: "url",
      why: "A server is either started as a program or reached at an address.",
    });
  }
  const only = (key: string, needs: "command" | "url"): void => {
    const expr = values.get(key);
    if (expr !== undefined && !values.has(needs)) problems.report(d.propertyOfOther, expr.span, { name: key, needs: `\`${needs}\`` });
  };
  if (command !== undefined || url !== undefined) {
    only("env", "command");
    only("headers", "url");
  }
}

// --------------------------------------------------------------------------------------------------- bindings

/** What a tool is bound to, with the arguments by name; undefined (and reported) when it is no binding. */
export function checkBinding(binding: Expr, context: PropertyContext): { readonly kind: BindingKind; readonly args: Values } | undefined {
  const { problems } = context;
  if (binding.kind === "Missing") return undefined;
  const word = binding.kind === "Call" && binding.callee.kind === "NameExpr" ? binding.callee.name : undefined;
  const own = word === undefined || !Object.hasOwn(bindings, word) ? undefined : bindings[word];
  if (binding.kind !== "Call" || own === undefined || !isBinding(word)) {
    const near = word === undefined ? undefined : nearest(word, Object.keys(bindings));
    const fixes = near === undefined || binding.kind !== "Call" ? [] : writing(binding.callee.span, near);
    problems.report(d.notABinding, binding.kind === "Call" ? binding.callee.span : binding.span, { near }, { fixes });
    return undefined;
  }
  const args = bindArguments(word, own, binding.args, binding.span, context);
  return { kind: word, args };
}

const isBinding = (word: string | undefined): word is BindingKind =>
  word === "module" || word === "exec" || word === "http" || word === "mcp";

function bindArguments(kind: BindingKind, own: Binding, args: readonly Argument[], at: Span, context: PropertyContext): Values {
  const { problems } = context;
  const { form } = own;
  const values = new Map<string, Expr>();
  let next = 0;
  let failed = false;
  for (const arg of args) {
    const name = arg.name?.text ?? own.positional[next++];
    if (name === undefined) {
      if (kind === "http") continue; // what is missing then is the method
      failed = true;
      problems.report(d.bindingArgumentsMany, arg.span, { binding: kind, form });
      continue;
    }
    const spec = own.args.get(name);
    if (spec === undefined) {
      failed = true;
      const near = nearest(name, own.args.keys());
      const span = arg.name?.span ?? arg.span;
      problems.report(d.bindingArgumentUnknown, span, { binding: kind, name, near, form }, { fixes: writing(span, near) });
    } else if (values.has(name)) problems.report(d.propertyTwice, arg.span, { name });
    else {
      values.set(name, arg.value);
      checkValue(name, spec, arg.value, context);
    }
  }
  if (failed) return values;
  for (const name of own.positional) {
    if (!values.has(name)) problems.report(d.bindingArgumentMissing, at, { binding: kind, name: ARGUMENT[name] ?? name, form });
  }
  if (kind === "http") {
    const found = HTTP_METHODS.filter((method) => values.has(method));
    if (found.length !== 1) problems.report(d.httpMethods, at, { found });
  }
  return values;
}

const ARGUMENT: Readonly<Record<string, string>> = {
  file: "the path of a file",
  argv: "a program with its arguments",
  server: "the name of an `mcp` server",
  tool: "the name of the server's tool",
};
