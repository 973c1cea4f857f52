/** Locks that wait for each other, whether a run keeps them itself or a store keeps them for several runs. */

/** How locks stand: who has one, what the calls inside of a holder wait for, and whether a call is inside of another. */
export interface Holding<L, C> {
  readonly holderOf: (lock: L) => C | undefined;
  readonly wantedInside: (holder: C) => Iterable<L>;
  readonly inside: (inner: C, outer: C) => boolean;
}

/** The locks on the way from the one that a call asks for back to one that it is inside of; undefined where there is no way. */
export function cycleOf<L, C>(asking: C, wanted: L, { holderOf, wantedInside, inside }: Holding<L, C>): readonly L[] | undefined {
  const visit = (lock: L, way: readonly L[]): readonly L[] | undefined => {
    const holder = holderOf(lock);
    if (holder === undefined || way.includes(lock)) return undefined;
    const longer = [...way, lock];
    if (inside(asking, holder)) return [...longer, wanted];
    for (const other of wantedInside(holder)) {
      const found = visit(other, longer);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return visit(wanted, []);
}
