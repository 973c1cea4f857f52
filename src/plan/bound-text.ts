/** Bounds as people read them: `≤ 22 calls`, `$0.012·|paths| + $0.03`, `up to 33 paths`. */
import { grouped } from "../source/digits.js";
import { type Count, isNumber, termsOf } from "./bound-algebra.js";

/** A symbol as it is shown. */
export const symbolText = (symbol: string): string => `|${symbol}|`;

function formula(count: Count, number: (x: number) => string, nothing: string, short: boolean): string | undefined {
  if (isNumber(count)) return Number.isFinite(count) ? number(count) : undefined;
  const terms = termsOf(count).map(({ symbols, times }) => {
    const names = symbols.map(symbolText).join("·");
    return short && times === 1 ? names : `${number(times)}·${names}`;
  });
  if (count.constant !== 0 || terms.length === 0) terms.push(count.constant === 0 ? nothing : number(count.constant));
  return terms.join(" + ");
}

const whole = (x: number): string => {
  const up = Math.max(0, Math.ceil(x - 1e-9));
  return up >= 1e15 ? up.toExponential(1) : grouped(up);
};

/** A number of calls or tokens; `undefined` where it is not limited. */
export function countText(count: Count): string | undefined {
  return formula(count, (x) => (Number.isInteger(x) || x >= 10 ? whole(x) : String(Math.ceil(x * 100) / 100)), "0", true);
}

/** The same inside of a note. */
export function amountText(count: Count): string {
  return countText(count) ?? "any number of";
}

/** An amount of nano-dollars in dollars, rounded up to what people look at; `undefined` where it is not limited. */
export function costText(count: Count): string | undefined {
  return formula(count, dollarText, "$0.00", false);
}

/** Nano-dollars as dollars: two digits that matter, never less than it is. */
export function dollarText(nano: number): string {
  if (nano <= 0) return "$0.00";
  const dollars = nano / 1e9;
  if (dollars >= 1e9) return `$${dollars.toExponential(2)}`;
  if (dollars >= 100) return `$${grouped(Math.ceil(dollars - 1e-9))}`;
  const digits = dollars >= 1 ? 2 : Math.min(9, 1 - Math.floor(Math.log10(dollars)));
  const scale = 10 ** Math.max(2, digits);
  return `$${(Math.ceil(dollars * scale - 1e-6) / scale).toFixed(Math.max(2, digits))}`;
}

/** Milliseconds as seconds, minutes or hours; `undefined` where nothing limits them. */
export function timeText(count: Count): string | undefined {
  return formula(count, durationText, "0s", false);
}

function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 100) / 10;
  if (seconds < 60) return `${seconds}s`;
  const total = Math.ceil(seconds);
  if (total < 3600) return `${Math.floor(total / 60)}m${total % 60 === 0 ? "" : ` ${String(total % 60).padStart(2, "0")}s`}`;
  const minutes = Math.ceil(total / 60);
  return `${Math.floor(minutes / 60)}h${minutes % 60 === 0 ? "" : ` ${String(minutes % 60).padStart(2, "0")}m`}`;
}

/** A bound as data: a number, a formula, or null where nothing limits it. `scale` turns the inner unit into the shown one. */
export function countData(count: Count, scale = 1): number | string | null {
  const number = (x: number): number => Number((x * scale).toPrecision(12));
  if (isNumber(count)) return Number.isFinite(count) ? number(count) : null;
  const terms = termsOf(count).map(({ symbols, times }) =>
    [...(times * scale === 1 ? [] : [number(times)]), ...symbols.map(symbolText)].join("*"),
  );
  return [...terms, ...(count.constant === 0 ? [] : [String(number(count.constant))])].join(" + ");
}
