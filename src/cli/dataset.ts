/**
 * The cases of an evaluation: JSON Lines (a record on each line) or CSV (a column for each parameter). Each case is read
 * and checked by the types of the flow before anything runs; what is wrong is shown at its line, all of it at once.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { readText } from "../host/files.js";
import type { FileOptions } from "../host/tools/files.js";
import type { FlowIR, MediaKind, ParamIR, TypeIR } from "../plan/ir.js";
import { typeText } from "../plan/text.js";
import { canonical, contentHash } from "../runtime/hash.js";
import { shapes } from "../runtime/shape.js";
import { takeMedia } from "../runtime/tool-media.js";
import { isFields } from "../runtime/values.js";
import { type SourceFile, sourceFile } from "../source/source.js";
import { readValue, resolveRef } from "./inputs.js";
import { reportUnreadable, showProblems } from "./problems.js";
import type { Terminal } from "./terminal.js";

export interface Case {
  /** Its `id`, or made from its content: the same in another order of the file. */
  readonly key: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly expected: unknown;
  readonly hasExpected: boolean;
  /** Offset of its line. */
  readonly at: number;
}

interface Line {
  readonly at: number;
  readonly end: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Values are texts, to be read by their types. */
  readonly textual: boolean;
}

/** Reads the cases of a file; undefined when one is wrong, which is shown. */
export async function readDataset(
  path: string,
  flow: FlowIR,
  types: Readonly<Record<string, TypeIR>>,
  wantsExpected: ((expected: unknown) => string | undefined) | undefined,
  files: FileOptions,
  to: Terminal,
): Promise<readonly Case[] | undefined> {
  const found = problems();
  const read = readText(path);
  if (read.kind !== "text") {
    reportUnreadable(path, read, found);
    showProblems(found.list(), new Map(), to);
    return undefined;
  }
  const file = sourceFile(path, read.text);
  const lines = /\.csv$/i.test(path) ? await csvLines(file, found) : jsonLines(file, found);
  const cases = await Promise.all(
    lines
      .flatMap((line) => caseOf(line, path, flow, types, wantsExpected, found) ?? [])
      .map(async (each) => ({ ...each, key: each.key ?? (await contentKey(each.inputs, flow, types, files)) })),
  );
  if (!found.hasErrors() && cases.length === 0)
    found.report(d.badCase, { file: path, start: 0, end: 0 }, { reason: "There is no case in the file." });
  unique(cases, path, found);
  if (!found.hasErrors()) return numbered(cases);
  showProblems(found.list(), new Map([[path, file]]), to);
  return undefined;
}

function jsonLines(file: SourceFile, found: Problems): readonly Line[] {
  return file.lineStarts.flatMap((at, i): Line[] => {
    const end = (file.lineStarts[i + 1] ?? file.text.length + 1) - 1;
    const text = file.text.slice(at, end).trim();
    if (text === "") return [];
    try {
      const fields: unknown = JSON.parse(text);
      if (isFields(fields)) return [{ at, end, fields, textual: false }];
      found.report(
        d.badCase,
        { file: file.path, start: at, end },
        { reason: 'A case is a record: { "parameter": value, "expected": value }.' },
      );
    } catch (thrown) {
      found.report(
        d.badCase,
        { file: file.path, start: at, end },
        { reason: `It is not JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}.` },
      );
    }
    return [];
  });
}

async function csvLines(file: SourceFile, found: Problems): Promise<readonly Line[]> {
  const { parse } = await import("csv-parse/sync");
  try {
    const rows = parse(file.text, { bom: true, columns: true, info: true, skip_empty_lines: true }) as unknown as readonly {
      readonly record: Readonly<Record<string, string>>;
      readonly info: { readonly lines: number };
    }[];
    let line = 1;
    return rows.map(({ record, info }) => {
      // `lines` counts to the end of a row, which may span several.
      const at = file.lineStarts[line] ?? 0;
      line = info.lines;
      return { at, end: (file.lineStarts[info.lines] ?? file.text.length + 1) - 1, fields: record, textual: true };
    });
  } catch (thrown) {
    const at = typeof thrown === "object" && thrown !== null && "lines" in thrown && typeof thrown.lines === "number" ? thrown.lines : 1;
    const start = file.lineStarts[at - 1] ?? 0;
    found.report(
      d.badCase,
      { file: file.path, start, end: (file.lineStarts[at] ?? file.text.length + 1) - 1 },
      { reason: `It is not CSV: ${thrown instanceof Error ? thrown.message : String(thrown)}.` },
    );
    return [];
  }
}

const EXPECTED = "expected";
const ID = "id";

function caseOf(
  { at, end, fields, textual }: Line,
  path: string,
  flow: FlowIR,
  types: Readonly<Record<string, TypeIR>>,
  wantsExpected: ((expected: unknown) => string | undefined) | undefined,
  found: Problems,
): (Omit<Case, "key"> & { readonly key: string | undefined }) | undefined {
  const span = { file: path, start: at, end };
  const { cut, exactly } = shapes(types);
  const inputs: Record<string, unknown> = {};
  const reasons: string[] = [];
  const known = [...flow.params.map((param) => param.name), EXPECTED, ID];
  const wrong = (reason: string): void => {
    reasons.push(reason);
  };
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    wrong(`The flow \`${flow.name}\` has no parameter \`${name}\`${near === undefined ? "" : `; did you mean \`${near}\`?`}`);
  }
  for (const param of flow.params) {
    const given = fields[param.name];
    if (given === undefined || (textual && given === "" && !takesText(param, types))) {
      if (param.default !== undefined) continue;
      if (exactly(param.type)(null)) inputs[param.name] = null;
      else wrong(`The input \`${param.name}\` (${typeText(param.type, 100)}) is missing.`);
      continue;
    }
    const value = textual ? (readValue(resolveRef(param.type, types), [String(given)], types) ?? given) : given;
    const fitted = cut(param.type)(value);
    if (exactly(param.type)(fitted)) inputs[param.name] = fitted;
    else wrong(`The input \`${param.name}\` is not ${typeText(param.type, 100)}: ${JSON.stringify(given)}.`);
  }
  const hasExpected = fields[EXPECTED] !== undefined && !(textual && fields[EXPECTED] === "");
  let expected = fields[EXPECTED];
  if (hasExpected && textual) expected = readValue(resolveRef(flow.result, types), [String(expected)], types) ?? jsonOr(String(expected));
  const misfit = wantsExpected?.(hasExpected ? expected : undefined);
  if (misfit !== undefined) wrong(misfit);
  if (reasons.length > 0) {
    found.report(d.badCase, span, { reason: reasons.join("\n") });
    return undefined;
  }
  const id = fields[ID];
  const key = id === undefined || id === "" || typeof id === "object" ? undefined : String(id);
  return { key, inputs, expected, hasExpected, at };
}

/** The key of a case without an id: what it holds, of images and the like what is in them. */
async function contentKey(
  inputs: Case["inputs"],
  flow: FlowIR,
  types: Readonly<Record<string, TypeIR>>,
  files: FileOptions,
): Promise<string> {
  const media = flow.params.flatMap(({ name, type }) => takeMedia(inputs[name] ?? null, type, types, new Set(mediaKinds)).media);
  const hashes =
    media.length === 0
      ? []
      : await import("../host/providers/media.js").then(({ mediumHash }) =>
          Promise.all(media.map(({ of, value }) => mediumHash(value, of, files))),
        );
  return `#${contentHash(canonical(hashes.length === 0 ? inputs : [inputs, hashes])).slice(0, 8)}`;
}

const mediaKinds: readonly MediaKind[] = ["image", "audio", "document"];

function takesText(param: ParamIR, types: Readonly<Record<string, TypeIR>>): boolean {
  return resolveRef(param.type, types).kind === "string";
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Ids that were given must differ; equal cases without one are told apart by their count. */
function unique(cases: readonly Case[], path: string, found: Problems): void {
  const seen = new Set<string>();
  for (const { key, at } of cases) {
    if (!key.startsWith("#") && seen.has(key))
      found.report(d.badCase, { file: path, start: at, end: at }, { reason: `Another case has the id \`${key}\` already.` });
    seen.add(key);
  }
}

function numbered(cases: readonly Case[]): readonly Case[] {
  const counts = new Map<string, number>();
  return cases.map((each) => {
    const count = (counts.get(each.key) ?? 0) + 1;
    counts.set(each.key, count);
    return count === 1 ? each : { ...each, key: `${each.key}/${count}` };
  });
}
