/** What stands between the braces of models and right of a tool's `=`, in the graph; and values known at compile time. */

import type { Callable, DeclSymbol } from "../semantics/symbols.js";
import { ERROR, expand, type Type } from "../semantics/types.js";
import type { Expr, ModelDecl, Property, ToolDecl } from "../syntax/ast.js";
import type { BindingIR, ExprIR, Json, ModelIR } from "./ir.js";
import { builder, constant, type Lowering, type Unit, unit } from "./lowering.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A model as declared; those that it stands for are made first. */
export function lowerModel(l: Lowering, symbol: DeclSymbol, decl: ModelDecl): ModelIR {
  const property = (name: string) => propertyOf(decl, name);
  const u = unit(symbol.scope);
  const number = (name: string) => numberOf(l, property(name));
  const text = (name: string) => textOf(l, property(name));
  const names = (name: string): readonly string[] | undefined => {
    const list = property(name);
    return list?.kind === "List" ? list.elements.flatMap(({ value }) => symbolNamed(l, value) ?? []).map((s) => l.model(s)) : undefined;
  };
  const price = property("price");
  const prices =
    price?.kind === "Record"
      ? new Map(price.entries.flatMap((e) => (e.kind === "Field" ? [[e.name.text, numberOf(l, e.value)] as const] : [])))
      : undefined;
  const options: Record<string, Json> = {};
  for (const name of ["options", "latency", "seed", "input", "output"]) {
    const found = property(name);
    const value = found === undefined ? undefined : jsonOf(l, found);
    if (value !== undefined) options[name] = value;
  }
  const out: Mutable<ModelIR> = { id: symbol.id, name: symbol.name, span: decl.name.span, options };
  const put = <K extends keyof ModelIR>(key: K, value: ModelIR[K] | undefined): void => {
    if (value !== undefined) out[key] = value;
  };
  put("provider", text("provider"));
  put("model", text("name"));
  const url = property("base_url");
  const key = property("api_key");
  put("baseUrl", url === undefined ? undefined : l.expr(url, builder(u)));
  put("apiKey", key === undefined ? undefined : l.expr(key, builder(u)));
  const command = property("command");
  if (command?.kind === "List")
    put(
      "command",
      command.elements.map(({ value }) => l.expr(value, builder(u))),
    );
  const env = property("env");
  put("env", env === undefined ? undefined : l.expr(env, builder(u)));
  if (prices !== undefined) {
    const cached = prices.get("cached_input");
    const write = prices.get("cache_write");
    const request = prices.get("request");
    put("price", {
      input: prices.get("input") ?? 0,
      output: prices.get("output") ?? 0,
      ...(cached === undefined ? {} : { cachedInput: cached }),
      ...(write === undefined ? {} : { cacheWrite: write }),
      ...(request === undefined ? {} : { request }),
    });
  }
  const media = property("media");
  if (media?.kind === "Record")
    put("media", Object.fromEntries(media.entries.flatMap((e) => (e.kind === "Field" ? [[e.name.text, numberOf(l, e.value)]] : []))));
  put("context", number("context"));
  put("maxOutput", number("max_output"));
  put("temperature", number("temperature"));
  put("tokenFactor", number("token_factor"));
  put("overhead", number("overhead"));
  put("fallback", names("fallback"));
  put("balance", names("balance"));
  const policies = l.policies(decl.annotations, builder(u));
  put("rate", policies.rate?.perSecond);
  put("breaker", policies.breaker);
  put("maxConcurrent", number("max_concurrent"));
  put("tokensPerMinute", number("tokens_per_minute"));
  return out;
}

/** What a tool is bound to; `server` gives the id of an MCP server. */
export function lowerBinding(l: Lowering, decl: ToolDecl, u: Unit, callable: Callable, server: (symbol: DeclSymbol) => string): BindingIR {
  const call = decl.binding;
  const kind = call.kind === "Call" && call.callee.kind === "NameExpr" ? call.callee.name : "";
  const args = call.kind === "Call" ? call.args : [];
  const positional = args.filter((a) => a.name === undefined);
  const named = (name: string, at?: number): Expr | undefined =>
    args.find((a) => a.name?.text === name)?.value ?? (at === undefined ? undefined : positional[at]?.value);
  const b = builder(u);
  const value = (e: Expr | undefined): ExprIR | undefined => (e === undefined ? undefined : l.expr(e, b));
  const set = <K extends string>(key: K, e: ExprIR | undefined) => (e === undefined ? {} : ({ [key]: e } as Record<K, ExprIR>));
  switch (kind) {
    case "exec": {
      const argv = named("argv", 0);
      const parse = textOf(l, named("parse"));
      return {
        kind: "exec",
        argv: argv?.kind === "List" ? argv.elements.map((e) => l.expr(e.value, b)) : [],
        ...set("cwd", value(named("cwd"))),
        ...set("input", value(named("input"))),
        ...set("env", value(named("env"))),
        parse: parse === "text" || parse === "json" || parse === "lines" ? parse : parseFor(callable.result()),
      };
    }
    case "http": {
      const methods = ["get", "post", "put", "patch", "delete"] as const;
      const method = methods.find((m) => named(m) !== undefined) ?? "get";
      const pick = textOf(l, named("pick"));
      return {
        kind: "http",
        method,
        url: value(named(method)) ?? constant(""),
        ...set("query", value(named("query"))),
        ...set("headers", value(named("headers"))),
        ...set("body", value(named("body"))),
        ...(pick === undefined ? {} : { pick }),
      };
    }
    case "mcp": {
      const found = symbolNamed(l, named("server", 0));
      return {
        kind: "mcp",
        server: found === undefined ? "" : server(found),
        tool: textOf(l, named("tool", 1)) ?? decl.name.text,
        ...set("args", value(named("args"))),
      };
    }
    default:
      return {
        kind: "module",
        file: moduleFile(textOf(l, named("file", 0)) ?? "", callable.symbol),
        export: textOf(l, named("export")) ?? decl.name.text,
      };
  }
}

/** How `exec` reads what a program printed, unless it says so. */
function parseFor(result: Type): "text" | "json" | "lines" {
  const t = expand(result);
  if (t.kind === "string") return "text";
  return t.kind === "list" && expand(t.of).kind === "string" ? "lines" : "json";
}

/** Module paths are written relative to the file that declares the tool; the graph has them relative to the project. */
function moduleFile(written: string, symbol: DeclSymbol): string {
  if (!written.startsWith(".")) return written;
  const from = symbol.scope.module.file;
  const folder = from.includes("/") ? from.slice(0, from.lastIndexOf("/")) : "";
  const parts = folder === "" ? [] : folder.split("/");
  for (const part of written.split("/")) {
    if (part === "..") {
      if (parts.length > 0 && parts[parts.length - 1] !== "..") parts.pop();
      else parts.push("..");
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

/** What stands after a name between the braces of a declaration. */
export function propertyOf({ properties }: { readonly properties: readonly Property[] }, name: string): Expr | undefined {
  for (const property of properties) if (property.name.text === name) return property.value;
  return undefined;
}

/** The declaration an expression names. */
export function symbolNamed(l: Lowering, e: Expr | undefined): DeclSymbol | undefined {
  const found = e?.kind === "NameExpr" ? l.checker.tables.refs.get(e) : undefined;
  return found?.kind === "symbol" ? found.symbol : undefined;
}

/** A number that is known at compile time: as written, or a constant's. */
export function numberOf(l: Lowering, e: Expr | undefined): number | undefined {
  if (e === undefined) return undefined;
  if (e.kind === "Number") return e.value;
  if (e.kind === "NameExpr") {
    const decl = symbolNamed(l, e)?.decl;
    if (decl?.kind === "LetDecl") return numberOf(l, decl.value);
  }
  const t = expand(l.checker.tables.types.get(e) ?? ERROR);
  return t.kind === "literal" && typeof t.value === "number" ? t.value : undefined;
}

/** A text that is known at compile time. */
export function textOf(l: Lowering, e: Expr | undefined): string | undefined {
  if (e === undefined) return undefined;
  if (e.kind === "Text") return e.value;
  const t = expand(l.checker.tables.types.get(e) ?? ERROR);
  return t.kind === "literal" && typeof t.value === "string" ? t.value : undefined;
}

/** A value that is known at compile time, as JSON. */
function jsonOf(l: Lowering, e: Expr): Json | undefined {
  switch (e.kind) {
    case "Number":
    case "Bool":
      return e.value;
    case "Null":
      return null;
    case "Text":
      return e.value;
    case "List":
      return e.elements.map((x) => jsonOf(l, x.value) ?? null);
    case "Record":
      return Object.fromEntries(e.entries.flatMap((x) => (x.kind === "Field" ? [[x.name.text, jsonOf(l, x.value) ?? null]] : [])));
    case "NameExpr": {
      const decl = symbolNamed(l, e)?.decl;
      return decl?.kind === "LetDecl" ? jsonOf(l, decl.value) : undefined;
    }
    default:
      return undefined;
  }
}
