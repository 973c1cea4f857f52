/**
 * Where values live while a program runs. A body is given a layout (which id has which slot), each evaluation of it a
 * frame. Names are resolved to a depth and a slot when the body is compiled; nothing is looked up by name later.
 */

export interface Frame {
  readonly slots: unknown[];
  /** The frame of the body around this one. */
  readonly parent: Frame | undefined;
}

export interface Layout {
  readonly parent: Layout | undefined;
  readonly slots: Map<string, number>;
}

export type Eval = (frame: Frame) => unknown;

export function layout(parent: Layout | undefined, ids: Iterable<string> = []): Layout {
  const made: Layout = { parent, slots: new Map() };
  for (const id of ids) slotFor(made, id);
  return made;
}

/** The slot of an id in this layout, made if it has none. */
export function slotFor(target: Layout, id: string): number {
  const found = target.slots.get(id);
  if (found !== undefined) return found;
  const slot = target.slots.size;
  target.slots.set(id, slot);
  return slot;
}

/** Reads an id from the frame it belongs to; undefined where no layout has it. */
export function reader(from: Layout, id: string): Eval | undefined {
  let depth = 0;
  for (let at: Layout | undefined = from; at !== undefined; at = at.parent) {
    const slot = at.slots.get(id);
    if (slot !== undefined) return readAt(depth, slot);
    depth++;
  }
  return undefined;
}

function readAt(depth: number, slot: number): Eval {
  if (depth === 0) return (frame) => frame.slots[slot];
  if (depth === 1) return (frame) => frame.parent?.slots[slot];
  return (frame) => {
    let at: Frame | undefined = frame;
    for (let i = 0; i < depth; i++) at = at?.parent;
    return at?.slots[slot];
  };
}

export function newFrame(of: Layout, parent: Frame | undefined): Frame {
  const slots = new Array<unknown>(of.slots.size);
  // By hand, since `fill` is no compiled code: there is a frame for each item.
  for (let i = 0; i < slots.length; i++) slots[i] = null;
  return { slots, parent };
}
