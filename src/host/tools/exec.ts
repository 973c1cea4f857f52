/** Tools bound with `exec`: a program whose output is the result; a code other than 0 is a failure that shows why. */
import { resolve } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { ExecRequest, ToolContext } from "../../runtime/tool.js";
import { runProgram } from "./spawn.js";

export async function execTool(request: ExecRequest, context: ToolContext, directory: string): Promise<unknown> {
  const { code, isText, out, err } = await runProgram({
    argv: request.argv,
    cwd: request.cwd === undefined ? directory : resolve(directory, request.cwd),
    input: request.input,
    env: request.env,
    signal: context.signal,
  });
  const program = request.argv[0] ?? "";
  if (code !== 0)
    throw failure("tool_error", `${program} ended with code ${code}${tail(err === "" ? out : err)}`, { committed: "unknown" });
  if (!isText) throw failure("invalid_output", `${program} did not write text in UTF-8`, { committed: "yes" });
  switch (request.parse) {
    case "text":
      return out.replace(/\r?\n$/, "");
    case "lines":
      return out === "" ? [] : out.replace(/\r?\n$/, "").split(/\r?\n/);
    case "json":
      try {
        return JSON.parse(out) as unknown;
      } catch {
        throw failure("invalid_output", `${program} did not write JSON${tail(out)}`, { committed: "yes" });
      }
    default:
      return request.parse satisfies never;
  }
}

function tail(text: string): string {
  const lines = text.trim().split("\n").slice(-3).join("\n");
  return lines === "" ? "" : `: ${lines.length > 600 ? `…${lines.slice(-600)}` : lines}`;
}
