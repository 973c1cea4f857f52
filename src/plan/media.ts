/** Media in values: how many images, recordings and documents a value of a type holds at most, and which models take them. */
import type { Graph, MediaKind, ModelIR, TypeIR } from "./ir.js";

export type MediaCounts = Readonly<Record<MediaKind, number>>;

const none: MediaCounts = { image: 0, audio: 0, document: 0 };

/** Of a type that refers to itself nothing is known, unless it holds none. */
export function mediaCounts(type: TypeIR, types: Graph["types"], open: readonly string[] = []): MediaCounts {
  switch (type.kind) {
    case "image":
    case "audio":
    case "document":
      return { ...none, [type.kind]: 1 };
    case "list":
      return scaled(mediaCounts(type.of, types, open), type.max ?? Number.POSITIVE_INFINITY);
    case "map":
      return scaled(mediaCounts(type.of, types, open), Number.POSITIVE_INFINITY);
    case "secret":
      return mediaCounts(type.of, types, open);
    case "record":
      return type.fields.map((field) => mediaCounts(field.type, types, open)).reduce((a, b) => both(a, b, (x, y) => x + y), none);
    case "union":
      return type.of.map((member) => mediaCounts(member, types, open)).reduce((a, b) => both(a, b, Math.max), none);
    case "ref": {
      const target = types[type.name];
      if (target === undefined || open.includes(type.name)) return none;
      return scaled(mediaCounts(target, types, [...open, type.name]), Number.POSITIVE_INFINITY);
    }
    default:
      return none;
  }
}

const kinds = ["image", "audio", "document"] as const;

function both(a: MediaCounts, b: MediaCounts, of: (x: number, y: number) => number): MediaCounts {
  return { image: of(a.image, b.image), audio: of(a.audio, b.audio), document: of(a.document, b.document) };
}

function scaled(counts: MediaCounts, by: number): MediaCounts {
  return both(counts, counts, (x) => (x === 0 ? 0 : x * by));
}

/** The kinds of media that every model an agent may be answered by takes. */
export function mediaTaken(graph: Graph, model: string): ReadonlySet<MediaKind> {
  const models = modelsBehind(graph, model);
  const takes = (one: ModelIR, kind: MediaKind): boolean =>
    one.provider === "sim" || (one.provider !== "command" && one.media?.[kind] !== undefined);
  return new Set(kinds.filter((kind) => models.every((one) => takes(one, kind))));
}

/** The models that an agent may be answered by: those of a group, or the one. */
export function modelsBehind(graph: Graph, id: string, seen: Set<string> = new Set()): readonly ModelIR[] {
  const model = graph.models[id];
  if (model === undefined || seen.has(id)) return [];
  seen.add(id);
  const group = model.fallback ?? model.balance;
  return group === undefined ? [model] : group.flatMap((each) => modelsBehind(graph, each, seen));
}
