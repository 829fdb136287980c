// Each upstream is asked once, for what every resolver knows and is nobody's name: over the transport that it is set for, with
// EDNS, and where that is UDP over TCP as well.
import dnsPacket from "dns-packet";
import { nowMs } from "../clock.ts";
import { createCounters } from "../counters.ts";
import { type UpstreamAddress, upstreamText } from "../upstream/address.ts";
import { createConnect } from "../upstream/connect.ts";
import { buildProbe } from "../upstream/query.ts";
import { createWheel } from "../wheel.ts";
import type { Findings } from "./doctorReport.ts";

const EDNS_BYTES = 1232;
const WAIT_MS = 2500;
const SERVFAIL = 2;
const REFUSED = 5;
const RCODES = new Map([
  [SERVFAIL, "SERVFAIL"],
  [REFUSED, "REFUSED"],
]);

interface Heard {
  readonly rcode: number;
  readonly hasEdns: boolean;
  readonly tookMs: number;
}
type Connect = ReturnType<typeof createConnect>;

export async function checkUpstreams(findings: Findings, upstreams: readonly UpstreamAddress[]): Promise<void> {
  if (upstreams.length === 0) {
    findings.found("NW-701", "there is nobody to ask");
    return;
  }
  const connect = createConnect(createWheel(), createCounters());
  const heard = await Promise.all(
    upstreams.map(async (address) => ({
      text: upstreamText(address),
      main: await ask(connect, address),
      tcp: address.transport === "udp" ? await ask(connect, { ...address, transport: "tcp" }) : undefined,
    })),
  );
  const isAnyOfUse = heard.some(({ main }) => typeof main === "object" && !RCODES.has(main.rcode));
  const failing = isAnyOfUse ? "NW-705" : "NW-706";
  for (const each of heard) tell(findings, failing, each.text, each.main, each.tcp);
}

function tell(
  findings: Findings,
  failing: "NW-705" | "NW-706",
  text: string,
  main: Heard | string,
  tcp: Heard | string | undefined,
): void {
  if (typeof main === "string") {
    const overTcp = typeof tcp === "object" ? ", but over TCP" : "";
    findings.found("NW-702", `${text} does not answer${overTcp}: ${main}`);
    return;
  }
  if (RCODES.has(main.rcode)) {
    findings.found(
      failing,
      `${text} says ${RCODES.get(main.rcode)} to a question for the root, after ${main.tookMs} ms`,
    );
  } else {
    const also = typeof tcp === "object" ? `, over TCP within ${tcp.tookMs} ms` : "";
    findings.fine(`${text} answers within ${main.tookMs} ms${also}`);
  }
  if (!main.hasEdns) findings.found("NW-703", `${text} answers without EDNS`);
  if (typeof tcp === "string") findings.found("NW-704", `${text} does not answer over TCP: ${tcp}`);
}

/** What was heard, or why nothing was. */
function ask(connect: Connect, address: UpstreamAddress): Promise<Heard | string> {
  return new Promise((resolve) => {
    const transport = connect(address);
    const query = buildProbe(EDNS_BYTES);
    const sentAtMs = nowMs();
    const timer = setTimeout(() => end(`nothing within ${WAIT_MS} ms`), WAIT_MS);
    const takeBack = transport.send(query, {
      receive(message) {
        const reply = read(message);
        if (reply === undefined || reply.id !== query.id) return false;
        const tookMs = Math.ceil(nowMs() - sentAtMs);
        const hasEdns = reply.additionals?.some(({ type }) => type === "OPT") ?? false;
        setImmediate(end, { rcode: (reply.flags ?? 0) & 0xf, hasEdns, tookMs });
        return true;
      },
      fail: (error) => setImmediate(end, error.message),
    });
    function end(result: Heard | string): void {
      clearTimeout(timer);
      takeBack();
      transport.close();
      resolve(result);
    }
  });
}

function read(message: Uint8Array): dnsPacket.DecodedPacket | undefined {
  try {
    return dnsPacket.decode(Buffer.from(message));
  } catch {
    return undefined;
  }
}
