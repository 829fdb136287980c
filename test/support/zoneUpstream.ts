// `zoneUpstream.ts HOST ZONE`: a DNS server on port 53 for a zone given as JSON, to be started in a sandbox so that the
// real libc has somebody to ask. Prints what it is asked. SERVFAIL for all names under `broken.`, for AAAA under
// `halfbroken.`, and for the names of 198.51.100.0/24.
import { startUpstream, type Zone } from "../../demo/upstream.ts";

const [host = "127.0.0.1", zone = "{}"] = process.argv.slice(2);
await startUpstream({
  zone: JSON.parse(zone) as Zone,
  host,
  port: 53,
  soaMinimum: 30,
  onAsked: ({ name, type }) => console.log(`asked for ${type} of ${name}`),
  tamper(reply, _query, { name, type }) {
    const fails =
      name.endsWith(".100.51.198.in-addr.arpa") ||
      (name.endsWith("broken.example") && (type === "AAAA" || !name.endsWith("halfbroken.example")));
    return fails ? { ...reply, answers: [], authorities: [], flags: ((reply.flags ?? 0) & ~0xf) | 2 } : reply;
  },
});
console.log("ready");
