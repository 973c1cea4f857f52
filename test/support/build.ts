/** Vitest's global set-up: the end-to-end tests run the real command line, so it is bundled when a source is newer. */
import { bundleIfStale } from "../../scripts/build.js";

export async function setup(): Promise<void> {
  await bundleIfStale();
}
