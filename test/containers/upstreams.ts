// Runs in the engine's sandbox: the upstream of the cache (port 5300), and what the containers' libc asks (port 53).
// A line per question on standard output.
import { startUpstream } from "../../demo/upstream.ts";

const [names = "", cachePrefix = "", libcPrefix = ""] = process.argv.slice(2);

async function start(who: string, port: number, prefix: string): Promise<void> {
  const addresses = names.split(",").map((name, index) => [name, { ttl: 600, A: [`${prefix}${index + 1}`] }]);
  await startUpstream({
    zone: Object.fromEntries(addresses),
    host: "0.0.0.0",
    port,
    onAsked: ({ name, type }) => console.log(`${who} asked ${name} ${type}`),
  });
}

await start("cache", 5300, cachePrefix);
await start("libc", 53, libcPrefix);
console.log("ready");
