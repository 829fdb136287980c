// `zoneUpstream.ts HOST ZONE`: a DNS server on port 53 for a zone given as JSON, to be started in a sandbox so that the
// real libc has somebody to ask. Prints what it is asked, and fails as failing.ts says.
import { startUpstream, type Zone } from "../../demo/upstream.ts";
import { failing } from "./failing.ts";

const [host = "127.0.0.1", zone = "{}"] = process.argv.slice(2);
await startUpstream({
  zone: JSON.parse(zone) as Zone,
  host,
  port: 53,
  soaMinimum: 30,
  tamper: failing,
  onAsked: ({ name, type }) => console.log(`asked for ${type} of ${name}`),
});
console.log("ready");
