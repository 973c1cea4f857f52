/**
 * Fetches an address that stood in a value, and so may come from anybody: only from the public internet, unless its host
 * was allowed. What a name stands for is looked at when the connection is made, for every redirect anew, so a name
 * cannot lead to this machine or its network either.
 */
import { type LookupAddress, lookup } from "node:dns";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { failure } from "../../runtime/failure.js";

export interface PublicAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: IncomingMessage;
}

const mostRedirects = 5;

/** What belongs to no public host: this machine, private and shared networks, links, documentation, multicast. */
const closed = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const)
  closed.addSubnet(net, prefix, "ipv4");
for (const [net, prefix] of [
  ["::", 96],
  ["100::", 64],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const)
  closed.addSubnet(net, prefix, "ipv6");

/** Whether an IP address belongs to a host of the public internet. */
export function isPublic(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !closed.check(address, "ipv4");
  if (version !== 6) return false;
  const groups = groupsOf(address);
  const carried = [groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff, groups[0] === 0x64 && groups[1] === 0xff9b];
  // An address of version 4 inside of one of version 6.
  if (carried.includes(true)) {
    const [high = 0, low = 0] = groups.slice(6);
    return isPublic([high >> 8, high & 255, low >> 8, low & 255].join("."));
  }
  return !closed.check(address, "ipv6");
}

function groupsOf(address: string): readonly number[] {
  const plain = address
    .replace(/%.*$/, "")
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
      [((Number(a) << 8) | Number(b)).toString(16), ((Number(c) << 8) | Number(d)).toString(16)].join(":"),
    );
  const [head = "", tail] = plain.split("::");
  const numbers = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [first, last] = [numbers(head), tail === undefined ? [] : numbers(tail)];
  return [...first, ...Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
}

/** Hosts as `name` or `name:port`. */
const isAllowed = (url: URL, allowed: readonly string[]): boolean =>
  allowed.some(
    (host) =>
      host === url.hostname || host === url.host || host === `${url.hostname}:${url.port || (url.protocol === "https:" ? 443 : 80)}`,
  );

/** Rejects with a failure of kind `denied`, or with what the connection failed with. */
export async function fetchPublic(address: string, allowed: readonly string[], signal: AbortSignal): Promise<PublicAnswer> {
  let url = new URL(address);
  for (let left = mostRedirects; ; left--) {
    const answer = await once(url, isAllowed(url, allowed), signal);
    const { statusCode: status = 0, headers } = answer;
    if (![301, 302, 303, 307, 308].includes(status) || headers.location === undefined)
      return { status, contentType: headers["content-type"], body: answer };
    answer.destroy();
    if (left === 0) throw failure("tool_error", `${url.host} sent on more than ${mostRedirects} times`);
    const next = URL.canParse(headers.location, url.href) ? new URL(headers.location, url) : undefined;
    if (next === undefined || (next.protocol !== "https:" && (next.protocol !== "http:" || url.protocol === "https:")))
      throw failure("denied", `${url.host} sent on to what is no address, or not as safe`);
    url = next;
  }
}

function once(url: URL, open: boolean, signal: AbortSignal): Promise<IncomingMessage> {
  const denied = (address: string) =>
    failure(
      "denied",
      `${url.host} is no host of the public internet (${address}), and this address stood in a value: \`--allow-host ${url.host}\` allows it`,
    );
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if (!open && isIP(literal) !== 0 && !isPublic(literal)) return Promise.reject(denied(literal));
  const checking: LookupFunction = (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const bad = found?.find(({ address }) => !isPublic(address));
      if (error !== null) done(error, []);
      else if (bad !== undefined) done(Object.assign(new Error("denied"), { failure: denied(bad.address) }), []);
      else if (options.all === true) done(null, found);
      else done(null, found[0]?.address ?? "", found[0]?.family ?? 4);
    });
  };
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsGet : httpGet;
    const request = send(url, { signal, agent: false, ...(open ? {} : { lookup: checking }) }, resolve);
    request.on("error", (error: Error & { failure?: unknown }) => reject(error.failure ?? error));
  });
}
