// A thousand different questions at once while three of ten datagrams are lost, either way: who gets an answer, and when.
import path from "node:path";
import { OUTCOME_DATA } from "../assembly/layout.ts";
import { isInstalled } from "../demo/clients.ts";
import { outcomeOf } from "../src/table/record.ts";
import { askOnce, recordsOf } from "../test/support/frames.ts";
import { benchSandbox, cacheDirectory, removeDirectory, startCacheServer } from "./contenders.ts";
import { digits, type Findings } from "./report.ts";
import type { Setting } from "./setting.ts";

const QUESTIONS = 1000;
const LOST = 0.3; // of queries, and of replies
const DROP = [
  "iptables",
  "-A",
  "INPUT",
  "-p",
  "udp",
  "-m",
  "statistic",
  "--mode",
  "random",
  "--probability",
  `${LOST}`,
];
const NOTE = `${QUESTIONS} different names are asked for at once, each on a connection of its own; ${LOST * 100} % of queries and of replies are dropped, so half of the attempts fail.`;

export async function loss({ rounds }: Setting): Promise<Findings> {
  if (!isInstalled("iptables")) {
    return { sections: [], goals: [], absent: ["iptables is not installed (apt-get install iptables): no loss"] };
  }
  const box = await benchSandbox("127.0.0.9");
  const directory = cacheDirectory();
  try {
    const { code, stderr } = await box.run([...DROP, "-j", "DROP"]);
    if (code !== 0) throw new Error(stderr.trim());
    const server = await startCacheServer(box, directory);
    const tookMs: number[] = [];
    let failed = 0;
    for (let round = 0; round < rounds; round++) {
      const asked = Array.from({ length: QUESTIONS }, async (_, i) => {
        const startMs = performance.now();
        const answer = await askOnce(path.join(directory, "dns.sock"), [`n${round * QUESTIONS + i}.bench.example`]);
        if (outcomeOf(recordsOf(answer)[0] as Buffer) === OUTCOME_DATA) tookMs.push(performance.now() - startMs);
        else failed++;
      });
      await Promise.all(asked);
    }
    await server.stop();
    tookMs.sort((one, other) => one - other);
    const at = (share: number) => digits(tookMs[Math.floor(share * (tookMs.length - 1))] as number);
    return {
      sections: [
        {
          title: "A thousand questions at once, three of ten datagrams lost: ms",
          notes: [NOTE],
          head: ["asked", "answered", "failed", "median", "p90", "p99", "last"],
          rows: [[`${rounds * QUESTIONS}`, `${tookMs.length}`, `${failed}`, at(0.5), at(0.9), at(0.99), at(1)]],
        },
      ],
      goals: [
        {
          what: `questions answered while ${LOST * 100} % of datagrams are lost`,
          wanted: "99 %",
          measured: `${digits((100 * tookMs.length) / (rounds * QUESTIONS))} %`,
          isMet: tookMs.length >= 0.99 * rounds * QUESTIONS,
        },
      ],
    };
  } finally {
    await box.close();
    removeDirectory(directory);
  }
}
