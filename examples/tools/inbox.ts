/** Messages in a text, one to a line. */
export function read_inbox({ text }: { text: string }): { id: string; text: string }[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line, i) => ({ id: String(i + 1), text: line }));
}
