/** Would release a service; here it only says what it would have done. */
export function migrate({ service }: { service: string }): number {
  return service.length;
}

export function publish({ service, version }: { service: string; version: number }): string {
  return `https://${service}.example.com/${version}`;
}
