// What an outage makes of questions: new names are asked for at an even rate while no server answers, and the queries that
// reach the dead servers are counted, by the firewall that drops them.
import path from "node:path";
import { isInstalled } from "../demo/clients.ts";
import { askOnce } from "../test/support/frames.ts";
import type { Sandbox } from "../test/support/sandbox.ts";
import {
  benchSandbox,
  cacheDirectory,
  dnsmasqCommand,
  removeDirectory,
  startCacheServer,
  startDaemon,
  unboundConf,
} from "./contenders.ts";
import type { Findings } from "./report.ts";

const DEAD = ["127.0.0.101", "127.0.0.102", "127.0.0.103"];
const SECONDS = 20;
const PER_SECOND = 40;
const QUESTIONS = SECONDS * PER_SECOND;
const NOTE = `${QUESTIONS} different names, ${PER_SECOND} a second for ${SECONDS} s, each asked for once and with one type, while one server or three are silent: queries that reached them, over UDP and (connections) over TCP.`;

/** By a process of the sandbox, over UDP, as libc's first query. */
const ASK = `
const socket = require("dgram").createSocket("udp4");
socket.on("message", () => undefined);
let asked = 0;
const timer = setInterval(() => {
  const name = "n" + asked + ".bench.example";
  const labels = name.split(".").map((label) => Buffer.from(String.fromCharCode(label.length) + label, "latin1"));
  const head = Buffer.from([asked >> 8, asked & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  socket.send(Buffer.concat([head, ...labels, Buffer.from([0, 0, 1, 0, 1])]), 53, "127.0.0.1");
  if (++asked === ${QUESTIONS}) { clearInterval(timer); setTimeout(() => process.exit(), 3000); }
}, ${1000 / PER_SECOND});
`;

interface Sent {
  readonly udp: number;
  readonly tcp: number;
}
type Ask = (box: Sandbox, servers: readonly string[]) => Promise<void>;

export async function outage(): Promise<Findings> {
  const needed = ["iptables", "unbound", "dnsmasq"].filter((name) => !isInstalled(name));
  if (needed.length > 0) {
    const absent = needed.map((name) => `${name} is not installed (apt-get install ${name}): no outage`);
    return { sections: [], goals: [], absent };
  }
  const contenders: ReadonlyArray<readonly [string, Ask]> = [
    ["client.so's server", askUs],
    ["unbound", askUnbound],
    ["dnsmasq", askDnsmasq],
  ];
  const rows = await Promise.all(
    contenders.map(async ([title, ask]) => {
      const [one, three] = await Promise.all([DEAD.slice(0, 1), DEAD].map((servers) => duringOutage(ask, servers)));
      return { title, one: one as Sent, three: three as Sent };
    }),
  );
  const [ours, unbound] = rows as [(typeof rows)[number], (typeof rows)[number]];
  const text = ({ udp, tcp }: Sent) => `${udp} + ${tcp}`;
  return {
    sections: [
      {
        title: "An outage: queries that reach dead servers",
        notes: [NOTE],
        head: ["", "questions", "one dead server, UDP + TCP", "three dead servers, UDP + TCP"],
        rows: rows.map(({ title, one, three }) => [title, `${QUESTIONS}`, text(one), text(three)]),
      },
    ],
    goals: [
      {
        what: "queries to three dead servers, against unbound's",
        wanted: "no more",
        measured: `${ours.three.udp + ours.three.tcp} to ${unbound.three.udp + unbound.three.tcp}`,
        isMet: ours.three.udp + ours.three.tcp <= unbound.three.udp + unbound.three.tcp,
      },
    ],
  };
}

async function duringOutage(ask: Ask, servers: readonly string[]): Promise<Sent> {
  const box = await benchSandbox("127.0.0.1");
  try {
    for (const server of servers) {
      for (const matches of [["udp"], ["tcp", "--syn"]]) {
        const [protocol = "", ...others] = matches;
        const rule = ["-A", "INPUT", "-d", server, "-p", protocol, ...others, "-j", "DROP"];
        const { code, stderr } = await box.run(["iptables", ...rule]);
        if (code !== 0) throw new Error(stderr.trim());
      }
    }
    await ask(box, servers);
    const { stdout } = await box.run(["iptables", "-L", "INPUT", "-v", "-x", "-n"]);
    const sum = (protocol: string) =>
      [...stdout.matchAll(/^\s*(\d+)\s+\d+\s+DROP\s+(\w+)/gm)]
        .filter(([, , name]) => name === protocol || name === { udp: "17", tcp: "6" }[protocol])
        .reduce((total, [, packets]) => total + Number(packets), 0);
    return { udp: sum("udp"), tcp: sum("tcp") };
  } finally {
    await box.close();
  }
}

async function askUs(box: Sandbox, servers: readonly string[]): Promise<void> {
  const directory = cacheDirectory();
  try {
    const server = await startCacheServer(box, directory, { DNS_CACHE_UPSTREAMS: servers.join() });
    const asked: Array<Promise<unknown>> = [];
    for (let i = 0; i < QUESTIONS; i++) {
      asked.push(askOnce(path.join(directory, "dns.sock"), [`n${i}.bench.example`]));
      await new Promise((resolve) => setTimeout(resolve, 1000 / PER_SECOND));
    }
    await Promise.all(asked);
    await server.stop();
  } finally {
    removeDirectory(directory);
  }
}

async function askUnbound(box: Sandbox, servers: readonly string[]): Promise<void> {
  await box.write("/etc/unbound-bench.conf", unboundConf(servers));
  await startDaemon(box, ["unbound", "-d", "-c", "/etc/unbound-bench.conf"]);
  await askOverUdp(box);
}

async function askDnsmasq(box: Sandbox, servers: readonly string[]): Promise<void> {
  await startDaemon(box, dnsmasqCommand(servers));
  await askOverUdp(box);
}

async function askOverUdp(box: Sandbox): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1000)); // until it listens
  const { code, stderr } = await box.run([process.execPath, "-e", ASK], { timeoutMs: (SECONDS + 30) * 1000 });
  if (code !== 0) throw new Error(stderr);
}
