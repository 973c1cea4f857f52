/** Says something in a channel; here nobody listens. */
export function announce({ text }: { channel: string; text: string }): boolean {
  return text.length > 0;
}
