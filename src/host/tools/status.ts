/** What the status of an HTTP answer says about why a request failed. */
import type { FailureKind } from "../../runtime/failure.js";

const kinds: Readonly<Record<number, FailureKind>> = {
  401: "auth",
  403: "auth",
  408: "timeout",
  429: "rate_limit",
  500: "unavailable",
  502: "unavailable",
  503: "overloaded",
  504: "timeout",
  529: "overloaded",
};

export function statusKind(status: number): FailureKind {
  return kinds[status] ?? (status >= 500 ? "unavailable" : "tool_error");
}
