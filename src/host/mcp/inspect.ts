/** What an MCP server says that it has: asked once, and the server is gone again. */
import { failure } from "../../runtime/failure.js";
import type { McpServer } from "../../runtime/tool.js";
import { connect, requestFailure } from "./connection.js";
import type { ServerTool } from "./declare.js";

/** More than any server has; one that never stops listing is cut off. */
const MOST_PAGES = 200;
const PATIENCE_MS = 30_000;

/** All tools of a server; rejects with a failure. */
export async function toolsOf(server: McpServer, directory: string): Promise<readonly ServerTool[]> {
  const connection = await connect(server, directory, () => undefined);
  try {
    const tools: ServerTool[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const listed = await connection.client.listTools(cursor === undefined ? {} : { cursor }, { timeout: PATIENCE_MS });
      tools.push(...listed.tools);
      cursor = listed.nextCursor;
      if (cursor === undefined) return tools;
    }
    throw failure("invalid_output", `the MCP server ${server.name} does not come to an end of its tools`);
  } catch (thrown) {
    throw requestFailure(server, "its list of tools", thrown, connection);
  } finally {
    await connection.close();
  }
}
