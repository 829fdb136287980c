// What demo/web/index.php says, read back. curl is asked to add the status.
export interface Page {
  readonly status: number;
  readonly name: string;
  /** `unknown` where the lookup failed. */
  readonly address: string;
  readonly worker: number;
  readonly libc: "glibc" | "musl";
  readonly client: "with" | "without";
}

export const CURL = ["curl", "--silent", "--show-error", "--max-time", "20", "--write-out", "status %{http_code}\\n"];

const SHAPE =
  /^(\S+) has address (\S+)\nasked by PHP \S+, worker (\d+), on (glibc|musl), (with|without) client\.so\nstatus (\d+)\n$/;

export function readPage(text: string): Page {
  const match = SHAPE.exec(text);
  if (match === null) throw new Error(`not the page: ${text}`);
  const [, name, address, worker, libc, client, status] = match;
  return { name, address, worker: Number(worker), libc, client, status: Number(status) } as Page;
}

/** The pages that one curl after the other wrote. */
export function readPages(text: string): Page[] {
  return (text.match(/[\s\S]*?^status \d+\n/gm) ?? []).map(readPage);
}
