/**
 * Keeps keys out of everything that is told of a run: the values of its secrets, and texts that have the form of common
 * keys. What tools print, log and fail with is scrubbed where it arises; arguments and results where they are told, so
 * that the program itself still works with what it got.
 */
import type { Graph } from "../plan/ir.js";
import { keyForms } from "./key-forms.js";
import { type Fields, isPlain, setField } from "./values.js";

export interface Scrub {
  readonly text: (text: string) => string;
  /** The value itself where nothing in it is to be hidden. */
  readonly value: (value: unknown) => unknown;
}

const hidden = "[redacted]";

/** A secret shorter than this is no key, and would be found everywhere. */
const SHORTEST = 6;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** A scrub for a run: it knows what the program reads from the environment as secret. */
export function scrubOf(graph: Graph, globals: ReadonlyMap<string, unknown>): Scrub {
  return scrubber(graph.globals.flatMap(({ kind, id }) => (kind === "secret" ? [String(globals.get(id) ?? "")] : [])));
}

/** A scrub that knows these secrets. */
export function scrubber(secrets: Iterable<string>): Scrub {
  const words = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < SHORTEST) continue;
    // As it is, in an address, and inside of JSON.
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) words.add(form);
  }
  const known = [...words].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp([...known, ...Object.values(keyForms)].join("|"), "g");
  const text = (whole: string): string => (whole.length < SHORTEST ? whole : whole.replace(pattern, hidden));
  const value = (found: unknown): unknown => {
    if (typeof found === "string") return text(found);
    if (Array.isArray(found)) return list(found);
    return isPlain(found) ? fields(found) : found;
  };
  const list = (found: readonly unknown[]): unknown => {
    let out: unknown[] | undefined;
    for (let i = 0; i < found.length; i++) {
      const each = value(found[i]);
      if (each !== found[i]) {
        out ??= [...found];
        out[i] = each;
      }
    }
    return out ?? found;
  };
  const fields = (found: Fields): unknown => {
    let out: Record<string, unknown> | undefined;
    for (const name in found) {
      const each = value(found[name]);
      const said = text(name);
      if (each === found[name] && said === name && out === undefined) continue;
      if (out === undefined) {
        out = {};
        for (const before in found) {
          if (before === name) break;
          setField(out, before, found[before]);
        }
      }
      setField(out, said, each);
    }
    return out ?? found;
  };
  return { text, value };
}
