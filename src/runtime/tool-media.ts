/** What tools give back to a model beside texts: images and the like are taken out of a result and shown after it. */
import type { MediaKind, TypeIR } from "../plan/ir.js";
import type { UserPart } from "./provider.js";
import { named, type Types } from "./shape.js";
import { isFields, setField } from "./values.js";

type Media = Extract<UserPart, { kind: "media" }>;

/** A result with its media replaced by their numbers, and the media. */
export function takeMedia(
  value: unknown,
  type: TypeIR,
  types: Types,
  taken: ReadonlySet<MediaKind>,
): { readonly value: unknown; readonly media: readonly Media[] } {
  const media: Media[] = [];
  const take = (found: unknown, of: TypeIR): unknown => {
    switch (of.kind) {
      case "image":
      case "audio":
      case "document":
        if (!taken.has(of.kind)) return found;
        return `[${of.kind} ${media.push({ kind: "media", of: of.kind, value: found })}]`;
      case "list":
        return Array.isArray(found) ? found.map((each) => take(each, of.of)) : found;
      case "map":
        return isFields(found) ? fields(found, () => of.of) : found;
      case "record":
        return isFields(found) ? fields(found, (name) => of.fields.find((field) => field.name === name)?.type) : found;
      case "ref":
        return take(found, named(types, of.name));
      case "secret":
        return take(found, of.of);
      case "union": {
        // A path looks like any other text, so a union with texts is left as it is.
        const members = of.of.filter((member) => member.kind !== "null");
        const [only] = members;
        return found === null || only === undefined || members.length > 1 ? found : take(found, only);
      }
      default:
        return found;
    }
  };
  const fields = (record: Readonly<Record<string, unknown>>, typeOf: (name: string) => TypeIR | undefined): unknown => {
    const out: Record<string, unknown> = {};
    for (const [name, each] of Object.entries(record)) {
      const of = typeOf(name);
      setField(out, name, of === undefined ? each : take(each, of));
    }
    return out;
  };
  return { value: take(value, type), media };
}
