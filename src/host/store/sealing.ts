/**
 * Sealed values: results with redacted parts are kept only encrypted (AES-256-GCM, key in a file beside the store that
 * only its owner can read), so that they can be reused and read by nobody else.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What a sealed text begins with. */
export const SEALED = "sealed:";

export interface Sealing {
  seal(text: string): string;
  /** Undefined when the text was not sealed with this key or was changed. */
  open(sealed: string): string | undefined;
  /** The same for equal texts, which nobody can tell without the key. */
  name(text: string): string;
}

/** Seals with the key that stands beside a database; it is made on first use. */
export function sealing(database: string): Sealing {
  // Found at once: the current folder may have changed by the time the key is read.
  const file = join(dirname(resolve(database)), "key");
  let key: Buffer | undefined;
  const read = (): Buffer => {
    key ??= keyOf(file);
    return key;
  };
  return {
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", read(), nonce);
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64");
    },
    open(sealed) {
      try {
        const bytes = Buffer.from(sealed, "base64");
        const decipher = createDecipheriv("aes-256-gcm", read(), bytes.subarray(0, 12));
        decipher.setAuthTag(bytes.subarray(12, 28));
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
      } catch {
        return undefined;
      }
    },
    name: (text) => createHmac("sha256", read()).update(`name ${text}`).digest("hex"),
  };
}

function keyOf(file: string): Buffer {
  try {
    return readFileSync(file).subarray(0, 32);
  } catch {
    const made = randomBytes(32);
    try {
      // Two processes may come here at once: the one that creates the file wins.
      const handle = openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
      writeSync(handle, made);
      fsyncSync(handle);
      closeSync(handle);
      return made;
    } catch {
      return readFileSync(file).subarray(0, 32);
    }
  }
}

/** A text as it was before it was sealed, if it was; undefined where the key does not fit. */
export function openText(text: string, seals: Sealing): string | undefined {
  return text.startsWith(SEALED) ? seals.open(text.slice(SEALED.length)) : text;
}
