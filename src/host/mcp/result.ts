/**
 * What a tool of an MCP server gave, as the declared type wants it: its structured content, the JSON that its text
 * holds, the text itself, or media. Of several readings the first that fits the type counts; nothing is made to fit.
 */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import type { TypeIR } from "../../plan/ir.js";
import { failure } from "../../runtime/failure.js";
import type { McpRequest } from "../../runtime/tool.js";
import { typeProse } from "../../runtime/type-prose.js";

type Content = CallToolResult["content"][number];

/** The result of a call; throws `tool_error` where the server says that the tool failed. */
export function readResult(request: McpRequest, result: CallToolResult): unknown {
  const { server, tool, result: wanted, fits } = request;
  if (result.isError === true) {
    const told = textOf(result.content) || JSON.stringify(result.structuredContent ?? {});
    throw failure("tool_error", `${tool} of the MCP server ${server.name}: ${told.slice(0, 2_000)}`, { committed: "unknown" });
  }
  // A tool that gives nothing says so in words, which nobody asked for.
  if (wanted.kind === "null") return null;
  const readings = readingsOf(result, wanted);
  for (const reading of readings) if (fits(reading)) return reading;
  if (readings.length > 0) return readings[0];
  throw failure(
    "invalid_output",
    `${tool} of the MCP server ${server.name} gave ${describe(result.content)}, where ${typeProse(wanted)} is declared`,
    { committed: "yes" },
  );
}

function readingsOf({ content, structuredContent }: CallToolResult, wanted: TypeIR): readonly unknown[] {
  const texts = content.map(textOfOne).filter((text) => text !== undefined);
  const media = content.map(mediaOf).filter((each) => each !== undefined);
  const whole = texts.length === 0 ? [] : [texts.join("\n")];
  const parsed = whole.flatMap(parse);
  const structured = structuredContent === undefined ? [] : [structuredContent];
  const lists = content.length === 1 && texts.length === 1 ? [] : [media, texts.flatMap(parse), texts].filter((each) => each.length > 0);
  const [only] = media;
  const single = media.length === 1 && only !== undefined ? [only] : [];
  // Where a text is wanted, a text that happens to be JSON is still that text.
  if (isText(wanted)) return [...whole, ...structured];
  if (isMediaType(wanted)) return single;
  return [...structured, ...(wanted.kind === "list" ? lists : []), ...parsed, ...whole, ...single, ...lists];
}

function parse(text: string): readonly unknown[] {
  try {
    return [JSON.parse(text) as unknown];
  } catch {
    return [];
  }
}

function isText(type: TypeIR): boolean {
  if (type.kind === "union") return type.of.every((member) => isText(member) || member.kind === "null") && type.of.some(isText);
  return type.kind === "string" || (type.kind === "literal" && typeof type.value === "string");
}

function isMediaType(type: TypeIR): boolean {
  return type.kind === "image" || type.kind === "audio" || type.kind === "document";
}

function textOfOne(content: Content): string | undefined {
  switch (content.type) {
    case "text":
      return content.text;
    case "resource":
      return "text" in content.resource ? content.resource.text : undefined;
    case "resource_link":
      return content.uri;
    default:
      return undefined;
  }
}

function textOf(content: readonly Content[]): string {
  return content
    .flatMap((each) => textOfOne(each) ?? [])
    .join("\n")
    .trim();
}

/** Media as Weave has them: bytes in base64 with their type. */
function mediaOf(content: Content): { readonly data: string; readonly media_type: string } | undefined {
  switch (content.type) {
    case "image":
    case "audio":
      return { data: content.data, media_type: content.mimeType };
    case "resource":
      return "blob" in content.resource
        ? { data: content.resource.blob, media_type: content.resource.mimeType ?? "application/octet-stream" }
        : undefined;
    default:
      return undefined;
  }
}

function describe(content: readonly Content[]): string {
  if (content.length === 0) return "nothing";
  const kinds = [...new Set(content.map(({ type }) => (type === "resource_link" ? "a link" : type === "resource" ? "a resource" : type)))];
  return kinds.join(" and ");
}
