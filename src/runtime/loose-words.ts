/**
 * What a word or a short text stands for where a number, a truth value or one of a closed list is wanted: numbers as
 * people write them, other case and spelling, an explanation behind the value. Where two values are possible there is none.
 */

export interface Meant {
  readonly value: string | number | boolean;
  readonly mend: string;
}

/** A longer text is no value with an explanation. */
const LONGEST = 2000;
const numberWords = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const lead =
  /^(?:(?:so|okay|ok|sure|well)[,.!]?\s+)?(?:(?:the|my|your)\s+)?(?:(?:final|correct|best)\s+)?(?:answer|result|category|label|class|classification|sentiment|verdict|rating|score|value|output|decision|priority|severity|type|kind|number|total|count)(?:\s+(?:is|would be|should be)\s*:?|\s*[:=])\s*/i;

/** A text without the marks around it: emphasis, quotes, a final stop, words that only lead in. */
export function plainText(text: string): string {
  let found = text.trim();
  for (;;) {
    const marked = /^(\*{1,3}|_{1,3}|`{1,3}|"|'|“|\$\\boxed\{|\\boxed\{|\()([\s\S]*?)(\*{1,3}|_{1,3}|`{1,3}|"|'|”|\}\$|\}|\))[.!]?$/.exec(
      found.slice(0, 400),
    );
    const inner = marked?.[2];
    if (marked !== null && inner !== undefined && found.length <= 400 && !inner.includes(marked[3] ?? "")) found = inner.trim();
    else {
      const after = found
        .replace(/^\*\*/, "")
        .replace(lead, "")
        .replace(/^\*\*\s*/, "")
        .trim();
      if (after === "" || after === found || !lead.test(found.replace(/^\*\*/, ""))) return found;
      found = after;
    }
  }
}

/** A number as people write it, for a type between `min` and `max`. */
export function numberIn(text: string, type: { readonly min?: number; readonly max?: number }): Meant | undefined {
  if (text.length > LONGEST) return undefined;
  const plain = plainText(text).replace(/\.$/, "").replaceAll("−", "-");
  const written = numberWritten(plain);
  if (written !== undefined) return { value: written, mend: "rewrote numbers" };
  const share = /^([+-]?\d+(?:\.\d+)?)\s*%$/.exec(plain);
  if (share !== null) {
    if (type.max === 100) return { value: Number(share[1]), mend: "rewrote numbers" };
    if (type.max === 1) return { value: Number((Number(share[1]) / 100).toPrecision(15)), mend: "rewrote numbers" };
    return undefined;
  }
  const part = /^(\d+(?:\.\d+)?)\s*(?:\/|out of|of)\s*(\d+)$/i.exec(plain);
  if (part !== null) return Number(part[2]) === type.max ? { value: Number(part[1]), mend: "rewrote numbers" } : undefined;
  // One number alone in a sentence, at its start or end.
  const all = plain.match(/\d[\d,._]*/g) ?? [];
  const [lone] = all;
  if (lone === undefined || all.length > 1) return undefined;
  const found =
    /^([+-]?\d[\d,]*(?:\.\d+)?)\s*(?:[-–—:;,(\n]|because\b|since\b|as\b)/i.exec(plain) ??
    /\b(?:is|are|be|equals|=|:)\s*\**([+-]?\d[\d,]*(?:\.\d+)?)\**$/i.exec(plain);
  const number =
    found?.[1] === undefined || found[1].replace(/^[+-]|,$/g, "") !== lone.replace(/[,.]$/, "")
      ? undefined
      : numberWritten(found[1].replace(/,$/, ""));
  return number === undefined ? undefined : { value: number, mend: "took the number out of the text around it" };
}

function numberWritten(text: string): number | undefined {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return Number(text);
  // `1,234` is a thousand to some and a little more than one to others, unless something tells.
  if (/^[+-]?\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?$/.test(text) || /^[+-]?\d{1,3}(?:,\d{3})+\.\d+$/.test(text))
    return Number(text.replaceAll(",", ""));
  if (/^[+-]?\d{1,3}(?:_\d{3})+$/.test(text)) return Number(text.replaceAll("_", ""));
  const word = numberWords.indexOf(text.toLowerCase());
  return word < 0 ? undefined : word;
}

/** A whole number with thousands marked by commas: only where no fraction can be meant. */
export function wholeIn(text: string): Meant | undefined {
  if (text.length > LONGEST) return undefined;
  const plain = plainText(text).replace(/\.$/, "");
  return /^[+-]?\d{1,3}(?:,\d{3})+$/.test(plain) ? { value: Number(plain.replaceAll(",", "")), mend: "rewrote numbers" } : undefined;
}

/** US dollars: `$4.50`, `4.50 USD`. */
export function moneyIn(text: string): Meant | undefined {
  if (text.length > LONGEST) return undefined;
  const plain = plainText(text);
  const found =
    /^(?:US\$|\$|USD\s*)\s*(\d[\d,]*(?:\.\d+)?)$/i.exec(plain) ?? /^(\d[\d,]*(?:\.\d+)?)\s*(?:USD|dollars?|US dollars?)$/i.exec(plain);
  const digits = found?.[1];
  if (digits === undefined) return undefined;
  const whole = /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(digits) ? digits.replaceAll(",", "") : digits;
  const value = numberWritten(whole);
  return value === undefined ? undefined : { value, mend: "rewrote amounts of money" };
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds: `5s`, `1h 30m`, `2 minutes`. */
export function durationIn(text: string): Meant | undefined {
  if (text.length > LONGEST) return undefined;
  const plain = plainText(text).toLowerCase();
  let total = 0;
  let rest = plain;
  const part = /^(\d+(?:\.\d+)?)\s*(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])\s*(?:,|and)?\s*/;
  while (rest !== "") {
    const found = part.exec(rest);
    if (found === null) return undefined;
    const name = found[2] ?? "";
    const unit = name.startsWith("ms") || name.startsWith("milli") ? "ms" : name.charAt(0);
    total += Number(found[1]) * (units[unit] ?? 0);
    rest = rest.slice(found[0].length);
  }
  return plain === "" ? undefined : { value: total, mend: "rewrote durations" };
}

const truths: Readonly<Record<string, boolean>> = { true: true, yes: true, false: false, no: false };

/** A truth value, by itself or with an explanation behind it. */
export function truthIn(text: string): Meant | undefined {
  const found = choiceIn(text, Object.keys(truths));
  if (found === undefined) return undefined;
  const value = truths[String(found.value)];
  return value === undefined ? undefined : { value, mend: "rewrote truth values" };
}

/** Letters and digits alone, in lower case. */
export function spelling(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}+]+/gu, " ")
    .trim();
}

/** The one of a closed list that a text names. */
export function choiceIn(text: string, choices: readonly (string | number | boolean)[]): Meant | undefined {
  const shortText = text.trim();
  if (shortText.length > LONGEST) return undefined;
  for (const candidate of new Set([shortText, plainText(shortText)])) {
    const exact = choices.filter((choice) => String(choice) === candidate);
    const near = exact.length > 0 ? exact : choices.filter((choice) => sameSpelling(String(choice), candidate));
    const [only, second] = near;
    if (only !== undefined && second === undefined) return { value: only, mend: "took the spelling of the type" };
    if (second !== undefined) return undefined;
  }
  return explained(plainText(shortText), choices);
}

function sameSpelling(a: string, b: string): boolean {
  const spelt = spelling(a);
  return spelt !== "" && (spelt === spelling(b) || spelt.replaceAll(" ", "") === spelling(b).replaceAll(" ", ""));
}

/** A value with an explanation behind it that names no other value of the list. */
function explained(text: string, choices: readonly (string | number | boolean)[]): Meant | undefined {
  const fits: { readonly choice: string | number | boolean; readonly rest: string }[] = [];
  for (const choice of choices) {
    const escaped = spelling(String(choice)).replaceAll("+", "\\+").replaceAll(" ", "[\\s_-]+");
    if (escaped === "") continue;
    const found = new RegExp(
      `^[*_\`"']*${escaped}[*_\`"']*(?:\\s*[:;,.(\\n–—!]|\\s+-\\s|\\s+(?:because|since|as)\\b)([\\s\\S]*)$`,
      "iu",
    ).exec(text);
    if (found !== null) fits.push({ choice, rest: found[1] ?? "" });
  }
  const [only, second] = fits;
  if (only === undefined || second !== undefined || /^\s*(?:or|and|but|maybe|perhaps|though|\/)\b/i.test(only.rest)) return undefined;
  const words = ` ${spelling(only.rest)} `;
  const others = choices.some(
    (choice) => choice !== only.choice && spelling(String(choice)) !== "" && words.includes(` ${spelling(String(choice))} `),
  );
  return others ? undefined : { value: only.choice, mend: "took the value out of the text around it" };
}
