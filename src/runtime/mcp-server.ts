/** An MCP server as the program declares it, with its texts filled in. */
import type { ExprIR, McpIR } from "../plan/ir.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { failure } from "./failure.js";
import { layout, newFrame } from "./frame.js";
import type { McpServer } from "./tool.js";
import { isFields, plainText, setField } from "./values.js";

/** A server with its texts filled in, once for a run; they are read from constants and the environment only. */
export function mcpServer(ir: McpIR | undefined, context: EvalContext): () => McpServer {
  let made: McpServer | undefined;
  return () => {
    if (ir === undefined) throw failure("tool_error", "the MCP server is not in the program");
    if (made !== undefined) return made;
    const scope = layout(undefined);
    const read = (expr: ExprIR | undefined): unknown =>
      expr === undefined ? undefined : compileExpr(expr, scope, context)(newFrame(scope, undefined));
    const command = read(ir.command);
    const url = read(ir.url);
    made = {
      id: ir.id,
      name: ir.name,
      command: Array.isArray(command) ? command.map(plainText) : undefined,
      url: url === undefined ? undefined : plainText(url),
      env: texts(read(ir.env)),
      headers: texts(read(ir.headers)),
    };
    return made;
  };
}

/** A record of texts without its nulls. */
export function texts(value: unknown): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  if (isFields(value)) for (const [name, each] of Object.entries(value)) if (each !== null) setField(out, name, plainText(each));
  return out;
}
