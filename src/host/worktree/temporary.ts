/** What stands for worktrees in tests: an empty folder that is gone afterwards; there is nothing to merge. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worktrees } from "../../runtime/tool.js";

export const temporaryWorktrees: Worktrees = {
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), "weave-worktree-"));
    const discard = (): Promise<void> => rm(directory, { recursive: true, force: true });
    return {
      directory,
      found: false,
      discard,
      merge: async (_resolve, intend) => {
        await intend(0);
        await discard();
        return 0;
      },
    };
  },
  finish: () => Promise.resolve(),
  sweep: () => Promise.resolve(0),
};
