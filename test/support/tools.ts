/** A host for tools with nothing outside but the functions that it is given. */
import { temporaryWorktrees } from "../../src/host/worktree/temporary.js";
import type { ToolHost } from "../../src/runtime/tool.js";

export const functionsOnly = (load: ToolHost["load"] = () => Promise.reject(new Error("no tools here"))): ToolHost => ({
  load,
  exec: () => Promise.reject(new Error("no programs here")),
  http: () => Promise.reject(new Error("no network here")),
  mcp: () => Promise.reject(new Error("no servers here")),
  close: () => Promise.resolve(),
  directory: process.cwd(),
  worktrees: temporaryWorktrees,
});
