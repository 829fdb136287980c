// `node dist/exampleUpstream.js [port] [host]`: the example upstream by itself, for trying things by hand.
// A line on standard output per question; ends at SIGTERM or SIGINT.
import { startUpstream } from "./upstream.ts";
import { EXAMPLE_ZONE } from "./zone.ts";

const [port = "5300", host = "127.0.0.1"] = process.argv.slice(2);
const upstream = await startUpstream({
  zone: EXAMPLE_ZONE,
  port: Number(port),
  host,
  onAsked: ({ name, type, transport }) => console.log(`asked ${name} ${type} over ${transport}`),
});
console.log(`example upstream on ${upstream.host}:${upstream.port}`);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void upstream.close());
