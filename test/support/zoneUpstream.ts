// `zoneUpstream.ts HOST ZONE [SOCKET]`: a DNS server on port 53 for a zone given as JSON, to be started in a sandbox so
// that the real libc has somebody to ask. Prints what it is asked, and fails as failing.ts says. Whoever connects to the
// Unix socket is told how many questions there were.
import net from "node:net";
import { startUpstream, type Zone } from "../../demo/upstream.ts";
import { failing } from "./failing.ts";

const [host = "127.0.0.1", zone = "{}", socketPath] = process.argv.slice(2);
const upstream = await startUpstream({
  zone: JSON.parse(zone) as Zone,
  host,
  port: 53,
  soaMinimum: 30,
  tamper: failing,
  onAsked: ({ name, type }) => console.log(`asked for ${type} of ${name}`),
});
if (socketPath !== undefined) {
  const counter = net.createServer((socket) => socket.end(String(upstream.asked.length)));
  await new Promise<void>((resolve) => counter.listen(socketPath, resolve));
}
console.log("ready");
