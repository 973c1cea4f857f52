/**
 * Places boxes of a directed graph in layers, top to bottom: each box below all it depends on, few crossings, edges
 * nearly straight. Longest-path layers of bounded width, order by barycentres, positions by least squares under the
 * distances that must stay. Deterministic and quick: a thousand boxes take a few milliseconds. Geometry only, nothing of flows.
 */

export interface Sized {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Link {
  readonly from: string;
  readonly to: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  /** Top left corner of each box. */
  readonly at: ReadonlyMap<string, Point>;
  /** The points an edge goes through, by its place in the list of links; undefined for a link that leads nowhere. */
  readonly routes: readonly (readonly Point[] | undefined)[];
  readonly width: number;
  readonly height: number;
}

export interface Spacing {
  readonly across: number;
  readonly down: number;
  /** A layer wider than this continues in the next one. */
  readonly widest: number;
}

/** A place in a layer: a box, or a bend of an edge that passes through. */
interface Place {
  readonly id: string | undefined;
  readonly width: number;
  readonly height: number;
  /** Places in the layer above and below that edges lead from and to. */
  readonly above: Place[];
  readonly below: Place[];
  center: number;
  order: number;
}

const SWEEPS = 12;
/** Bends take less room than boxes. */
const BEND = 12;

/** Places boxes and routes links between them. */
export function layered(boxes: readonly Sized[], links: readonly Link[], spacing: Spacing): Layout {
  const known = new Set(boxes.map((box) => box.id));
  const valid = links.map((link) => known.has(link.from) && known.has(link.to) && link.from !== link.to);
  const layerOf = assignLayers(
    boxes,
    links.filter((_, i) => valid[i]),
    spacing,
  );
  const layers: Place[][] = [];
  const layer = (index: number): Place[] => {
    layers[index] ??= [];
    return layers[index];
  };
  const place = (id: string | undefined, width: number, height: number, index: number): Place => {
    const row = layer(index);
    const made: Place = { id, width, height, above: [], below: [], center: 0, order: row.length };
    row.push(made);
    return made;
  };
  const places = new Map<string, Place>();
  for (const box of boxes) places.set(box.id, place(box.id, box.width, box.height, layerOf.get(box.id) ?? 0));

  const chains = links.map((link, i) => {
    const [from, to] = [places.get(link.from), places.get(link.to)];
    if (!valid[i] || from === undefined || to === undefined) return undefined;
    const chain = [from];
    const [first, last] = [layerOf.get(link.from) ?? 0, layerOf.get(link.to) ?? 0];
    for (let index = first + 1; index < last; index++) chain.push(place(undefined, BEND, 0, index));
    chain.push(to);
    chain.forEach((each, k) => {
      const next = chain[k + 1];
      if (next === undefined) return;
      each.below.push(next);
      next.above.push(each);
    });
    return chain;
  });
  for (let i = 0; i < layers.length; i++) layer(i);

  orderLayers(layers);
  positionAcross(layers, spacing.across);
  return placed(layers, chains, spacing);
}

/** The layer of each box: below all it depends on, in the first layer from there with room. */
function assignLayers(boxes: readonly Sized[], links: readonly Link[], spacing: Spacing): Map<string, number> {
  const incoming = new Map(boxes.map((box) => [box.id, 0]));
  const next = new Map<string, string[]>(boxes.map((box) => [box.id, []]));
  for (const { from, to } of links) {
    incoming.set(to, (incoming.get(to) ?? 0) + 1);
    next.get(from)?.push(to);
  }
  const width = new Map(boxes.map((box) => [box.id, box.width]));
  const layers = new Map<string, number>();
  const least = new Map<string, number>();
  const used: number[] = [];
  const queue = boxes.filter((box) => incoming.get(box.id) === 0).map((box) => box.id);
  // Boxes of a cycle (there is none in a valid graph) are placed last, in their order.
  const rest = new Set(boxes.map((box) => box.id));
  for (let i = 0; i < boxes.length; i++) {
    const id = queue[i] ?? [...rest][0];
    if (id === undefined) break;
    rest.delete(id);
    const need = (width.get(id) ?? 0) + spacing.across;
    let at = least.get(id) ?? 0;
    while ((used[at] ?? 0) > 0 && (used[at] ?? 0) + need > spacing.widest) at++;
    used[at] = (used[at] ?? 0) + need;
    layers.set(id, at);
    for (const to of next.get(id) ?? []) {
      least.set(to, Math.max(least.get(to) ?? 0, at + 1));
      const left = (incoming.get(to) ?? 0) - 1;
      incoming.set(to, left);
      if (left === 0 && rest.has(to)) queue.push(to);
    }
  }
  // A box that nothing feeds stands right above the first that needs it.
  const fed = new Set(links.map((link) => link.to));
  for (const box of boxes) {
    const below = (next.get(box.id) ?? []).map((id) => layers.get(id) ?? 0);
    if (!fed.has(box.id) && below.length > 0) layers.set(box.id, Math.max(layers.get(box.id) ?? 0, Math.min(...below) - 1));
  }
  return layers;
}

function orderLayers(layers: readonly Place[][]): void {
  let best = layers.map((row) => [...row]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const rows = down ? layers : [...layers].reverse();
    for (const row of rows) {
      const wanted = new Map(row.map((place) => [place, barycentre(down ? place.above : place.below, place.order)]));
      row.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || a.order - b.order);
      row.forEach((place, i) => {
        place.order = i;
      });
    }
    const now = crossings(layers);
    if (now < fewest) [fewest, best] = [now, layers.map((row) => [...row])];
  }
  best.forEach((row, i) => {
    layers[i]?.splice(0, row.length, ...row);
    row.forEach((place, order) => {
      place.order = order;
    });
  });
}

const barycentre = (neighbours: readonly Place[], otherwise: number): number =>
  neighbours.length === 0 ? otherwise : neighbours.reduce((sum, place) => sum + place.order, 0) / neighbours.length;

function crossings(layers: readonly Place[][]): number {
  let count = 0;
  for (const row of layers) {
    const ends = row.flatMap((place) => place.below.map((below) => below.order).sort((a, b) => a - b));
    if (ends.length > 400) return 0;
    for (let i = 0; i < ends.length; i++) for (let j = i + 1; j < ends.length; j++) if ((ends[i] ?? 0) > (ends[j] ?? 0)) count++;
  }
  return count;
}

function positionAcross(layers: readonly Place[][], gap: number): void {
  for (const row of layers) {
    const width = row.reduce((sum, place) => sum + place.width + gap, -gap);
    let x = -width / 2;
    for (const place of row) {
      place.center = x + place.width / 2;
      x += place.width + gap;
    }
  }
  const mean = (places: readonly Place[], otherwise: number): number =>
    places.length === 0 ? otherwise : places.reduce((sum, place) => sum + place.center, 0) / places.length;
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? layers : [...layers].reverse()) {
      const sides = (place: Place): readonly Place[] =>
        sweep >= SWEEPS ? [...place.above, ...place.below] : down ? place.above : place.below;
      settle(
        row,
        row.map((place) => mean(sides(place), place.center)),
        gap,
      );
    }
  }
  // Places at an end follow their only neighbours last.
  for (const row of layers) {
    const wanted = row.map((place) => (place.below.length === 0 ? mean(place.above, place.center) : place.center));
    settle(row, wanted, gap);
  }
}

/** Moves a row's places as near to where they want to be as their order and distances allow (least squares). */
function settle(row: readonly Place[], wanted: readonly number[], gap: number): void {
  const offsets: number[] = [];
  let offset = 0;
  row.forEach((place, i) => {
    const previous = row[i - 1];
    if (previous !== undefined)
      offset += (previous.width + place.width) / 2 + (place.id === undefined && previous.id === undefined ? gap / 2 : gap);
    offsets.push(offset);
  });
  const blocks: { sum: number; weight: number; size: number }[] = [];
  row.forEach((place, i) => {
    const weight = place.id === undefined ? 4 : 1;
    let block = { sum: ((wanted[i] ?? 0) - (offsets[i] ?? 0)) * weight, weight, size: 1 };
    for (let last = blocks.at(-1); last !== undefined && last.sum / last.weight > block.sum / block.weight; last = blocks.at(-1)) {
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, size: last.size + block.size };
      blocks.pop();
    }
    blocks.push(block);
  });
  let i = 0;
  for (const block of blocks) {
    for (let k = 0; k < block.size; k++, i++) {
      const place = row[i];
      if (place !== undefined) place.center = block.sum / block.weight + (offsets[i] ?? 0);
    }
  }
}

function placed(layers: readonly Place[][], chains: readonly (readonly Place[] | undefined)[], spacing: Spacing): Layout {
  const all = layers.flat();
  const left = all.reduce((least, place) => Math.min(least, place.center - place.width / 2), Number.POSITIVE_INFINITY);
  const at = new Map<string, Point>();
  const tops = new Map<Place, number>();
  const bottoms = new Map<Place, number>();
  /** Top and bottom of the row a place is in. */
  const edges = new Map<Place, readonly [number, number]>();
  let y = 0;
  for (const row of layers) {
    const height = row.reduce((most, place) => Math.max(most, place.height), 0);
    for (const place of row) {
      const top = y + (height - place.height) / 2;
      edges.set(place, [y, y + height]);
      tops.set(place, place.id === undefined ? y : top);
      bottoms.set(place, place.id === undefined ? y + height : top + place.height);
      if (place.id !== undefined) at.set(place.id, { x: place.center - left - place.width / 2, y: top });
    }
    y += height + spacing.down;
  }
  const routes = chains.map((chain) =>
    chain?.flatMap((place, i) => {
      const x = place.center - left;
      const [top, bottom] = [tops.get(place) ?? 0, bottoms.get(place) ?? 0];
      // An edge turns only between layers: beside a taller neighbour it runs straight.
      const [rowTop, rowBottom] = edges.get(place) ?? [top, bottom];
      if (i === 0)
        return rowBottom - bottom < 1
          ? [{ x, y: bottom }]
          : [
              { x, y: bottom },
              { x, y: rowBottom },
            ];
      if (i === chain.length - 1)
        return top - rowTop < 1
          ? [{ x, y: top }]
          : [
              { x, y: rowTop },
              { x, y: top },
            ];
      return top === bottom
        ? [{ x, y: top }]
        : [
            { x, y: top },
            { x, y: bottom },
          ];
    }),
  );
  const right = all.reduce((most, place) => Math.max(most, place.center + place.width / 2), left);
  return { at, routes, width: all.length === 0 ? 0 : right - left, height: Math.max(0, y - spacing.down) };
}
