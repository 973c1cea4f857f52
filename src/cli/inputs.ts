/**
 * The inputs of a flow: options named like its parameters, JSON from a file or standard input, or asked for at a
 * terminal. Each is read by its declared type, with the literals of the language (`10k`, `30s`, `$0.05`), and checked
 * against it; what does not fit is shown at the parameter's declaration, like a mistake in the program.
 */
import { statSync } from "node:fs";
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { readText } from "../host/files.js";
import type { FlowIR, ParamIR, TypeIR } from "../plan/ir.js";
import { typeText } from "../plan/text.js";
import { shapes } from "../runtime/shape.js";
import type { Span } from "../source/source.js";
import { reportUnreadable, showProblems } from "./problems.js";
import type { Program } from "./program.js";
import type { Terminal } from "./terminal.js";

export type Inputs = Readonly<Record<string, unknown>>;

/** An option as it was written; `undefined` is one without a value. */
interface Given {
  readonly texts: readonly (string | undefined)[];
}

/** The inputs of a flow, or undefined when some are missing or wrong, which is shown. */
export async function inputsOf(
  program: Program,
  flow: FlowIR,
  args: readonly string[],
  file: string | undefined,
  to: Terminal,
): Promise<Inputs | undefined> {
  const found = problems();
  const { flowSpan, spanOf } = places(program, flow);
  const values = new Map<string, unknown>();
  if (file !== undefined) for (const [name, value] of await fromFile(file, found)) values.set(name, value);
  if (found.hasErrors()) {
    // What stands in a file that cannot be read is not missing.
    showProblems(found.list(), program.compiled.files, to);
    return undefined;
  }
  const given = readOptions(args, flow, flowSpan, found);

  const types = program.compiled.graph?.types ?? {};
  const { cut, exactly } = shapes(types);
  const checked: Record<string, unknown> = {};
  const put = async (param: ParamIR, value: unknown): Promise<void> => {
    const fitted = cut(param.type)(value);
    if (exactly(param.type)(fitted)) {
      checked[param.name] = fitted;
      return;
    }
    const { validate } = await import("../runtime/schema.js");
    const result = validate(param.type, value, types);
    const reason = result.ok ? `expected ${typeText(param.type, 200)}` : result.message;
    const shown = shorten(typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)));
    found.report(d.wrongInput, spanOf(param), {
      name: param.name,
      found: shown,
      reason: `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.${namesFile(value) ? " What stands in a file is given by `--input`, an object with all inputs." : ""}`,
    });
  };
  for (const name of values.keys()) {
    if (!flow.params.some((param) => param.name === name)) reportUnknown(name, flow, flowSpan, found);
  }
  for (const param of flow.params) {
    const written = given.get(param.name);
    if (written !== undefined) {
      const { texts } = written;
      const value = readValue(resolveRef(param.type, types), texts, types);
      await put(param, value === undefined ? (texts.length === 1 ? (texts[0] ?? "") : texts) : value);
    } else if (values.has(param.name)) await put(param, values.get(param.name));
    else if (param.default !== undefined) continue;
    else if (exactly(param.type)(null)) checked[param.name] = null;
    else if (to.interactive && !found.hasErrors()) {
      const answer = await ask(param, types, (value) => exactly(param.type)(cut(param.type)(value)));
      if (answer === undefined) return undefined;
      await put(param, answer);
    } else {
      found.report(d.missingInput, spanOf(param), {
        name: param.name,
        type: typeText(param.type, 200),
        option: `--${optionName(param.name)}`,
      });
    }
  }
  if (!found.hasErrors()) return checked;
  showProblems(found.list(), program.compiled.files, to);
  return undefined;
}

/** Where a flow and its parameters are declared. */
function places(program: Program, flow: FlowIR): { flowSpan: Span; spanOf: (param: ParamIR) => Span } {
  const spans = new Map<string, Span>();
  let flowSpan = flow.span;
  for (const module of program.compiled.modules.values()) {
    for (const decl of module.declarations) {
      if (module.file !== flow.span.file || !("signature" in decl) || decl.name.text !== flow.name) continue;
      flowSpan = decl.name.span;
      for (const param of decl.signature.params) spans.set(param.name.text, param.name.span);
    }
  }
  return { flowSpan, spanOf: (param) => spans.get(param.name) ?? flowSpan };
}

async function fromFile(path: string, found: Problems): Promise<Map<string, unknown>> {
  const none = new Map<string, unknown>();
  const span = { file: path === "-" ? "standard input" : path, start: 0, end: 0 };
  let text: string;
  if (path === "-") {
    const { readInput } = await import("./standard-input.js");
    text = await readInput();
  } else {
    const read = readText(path);
    if (read.kind !== "text") {
      reportUnreadable(path, read, found);
      return none;
    }
    text = read.text;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
    found.report(d.inputNotJson, span, { reason: `This is ${Array.isArray(value) ? "a list" : `\`${shorten(text.trim())}\``}.` });
  } catch (error) {
    found.report(d.inputNotJson, span, { reason: `${error instanceof Error ? error.message : String(error)}.` });
  }
  return none;
}

/** Whether a value is the path of a file, as some tools take one behind an `@`, where the text that stands in it was meant. */
function namesFile(value: unknown): boolean {
  return (
    typeof value === "string" && value.length < 1000 && statSync(value.replace(/^@/, ""), { throwIfNoEntry: false })?.isFile() === true
  );
}

/** `--name value`, `--name=value`, `--flag`, `--no-flag`; a name may be written with dashes for its underscores. */
function readOptions(args: readonly string[], flow: FlowIR, span: Span, found: Problems): Map<string, Given> {
  const given = new Map<string, Given>();
  const paramOf = (name: string): ParamIR | undefined =>
    flow.params.find((param) => param.name === name || optionName(param.name) === name);
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") continue;
    const match = /^--?([^=]+)(?:=([\s\S]*))?$/.exec(arg);
    if (match === null || match[1] === undefined) {
      reportUnknown(arg, flow, span, found);
      continue;
    }
    const [, name, attached] = match;
    const negated = name.startsWith("no-") && paramOf(name) === undefined ? paramOf(name.slice(3)) : undefined;
    const param = paramOf(name) ?? negated;
    if (param === undefined) {
      reportUnknown(name, flow, span, found);
      if (attached === undefined && args[i + 1]?.startsWith("--") === false) i++;
      continue;
    }
    let text = negated === undefined ? attached : "false";
    const next = args[i + 1];
    const flag = param.type.kind === "bool" && next !== "true" && next !== "false";
    if (text === undefined && !flag && next !== undefined && !next.startsWith("--")) {
      text = next;
      i++;
    }
    given.set(param.name, { texts: [...(given.get(param.name)?.texts ?? []), text] });
  }
  return given;
}

function reportUnknown(name: string, flow: FlowIR, span: Span, found: Problems): void {
  const inputs = flow.params.map((param) => optionName(param.name));
  found.report(d.unknownInput, { ...span, end: span.end }, { name, inputs, near: nearest(name, inputs) });
}

const optionName = (name: string): string => name.replace(/_/g, "-");
const shorten = (text: string): string => (text.length <= 60 ? text : `${text.slice(0, 59)}…`);

/** What a type stands for. */
export function resolveRef(type: TypeIR, types: Readonly<Record<string, TypeIR>>): TypeIR {
  for (let at = type, i = 0; i < 100; i++) {
    const next = at.kind === "ref" ? types[at.name] : at.kind === "secret" ? at.of : undefined;
    if (next === undefined) return at;
    at = next;
  }
  return type;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The value that texts of an option stand for, or undefined when they stand for none of the type. */
export function readValue(type: TypeIR, texts: readonly (string | undefined)[], types: Readonly<Record<string, TypeIR>>): unknown {
  const [text] = texts;
  if (type.kind === "list") {
    const whole = texts.length === 1 && text !== undefined ? readJson(text) : undefined;
    if (Array.isArray(whole)) return whole;
    const values = texts.map((each) => readValue(resolveRef(type.of, types), [each], types));
    return values.includes(undefined) ? undefined : values;
  }
  if (texts.length !== 1) return undefined;
  if (type.kind === "bool") return text === undefined || text === "true" ? true : text === "false" ? false : undefined;
  if (text === undefined) return undefined;
  switch (type.kind) {
    case "string":
    case "image":
    case "audio":
    case "document":
      return text;
    case "int":
    case "float":
      return readNumber(text);
    case "duration": {
      const match = /^(-?[\d_.]+)(ms|s|m|h|d)$/.exec(text);
      const number = match?.[1] === undefined ? undefined : readNumber(match[1]);
      return number === undefined ? undefined : number * (UNITS[match?.[2] ?? ""] ?? 1);
    }
    case "money":
      return readNumber(text.replace(/^\$/, ""));
    case "literal":
      return typeof type.value === "string" ? (text === type.value ? text : undefined) : readJson(text);
    case "null":
      return text === "null" ? null : undefined;
    case "union": {
      for (const member of type.of) {
        const value = readValue(resolveRef(member, types), texts, types);
        if (value !== undefined && shapes(types).exactly(member)(shapes(types).cut(member)(value))) return value;
      }
      return undefined;
    }
    default:
      return readJson(text);
  }
}

function readNumber(text: string): number | undefined {
  const match = /^(-?(?:\d[\d_]*)?(?:\.\d+)?(?:e[+-]?\d+)?)([kM%]?)$/i.exec(text);
  if (match?.[1] === undefined || !/\d/.test(match[1])) return undefined;
  const scale = { k: 1000, m: 1_000_000, "%": 0.01 }[(match[2] ?? "").toLowerCase()] ?? 1;
  const number = Number(match[1].replace(/_/g, "")) * scale;
  return Number.isFinite(number) ? number : undefined;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Asks a person for a value until it fits; undefined when the person gives up. */
async function ask(param: ParamIR, types: Readonly<Record<string, TypeIR>>, fits: (value: unknown) => boolean): Promise<unknown> {
  const { isCancel, text } = await import("@clack/prompts");
  const read = (answer: string): unknown => readValue(resolveRef(param.type, types), [answer], types);
  const answer = await text({
    message: `${param.name}${param.doc === undefined ? "" : ` — ${param.doc}`}`,
    placeholder: typeText(param.type),
    output: process.stderr,
    validate: (value) => (fits(read(value ?? "")) ? undefined : `must be ${typeText(param.type, 200)}`),
  });
  return isCancel(answer) ? undefined : read(answer);
}
