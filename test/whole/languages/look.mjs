// What Node's own calls make of a name.
import dns from "node:dns";
import http from "node:http";
import net from "node:net";
import { promisify } from "node:util";

const name = process.argv[2];
const lookup = promisify(dns.lookup);

async function show(title, call) {
  const describe = ({ code, message, errors }) => ({ code, message, errors: errors?.map(describe) });
  console.log(title, JSON.stringify(await call().catch(describe)));
}

const event = (emitter, done) =>
  new Promise((resolve, reject) => {
    emitter.on("error", reject);
    done(emitter, resolve);
  });

await show("lookup", () => lookup(name));
await show("lookup all", () => lookup(name, { all: true, verbatim: true }));
await show("lookup v4", () => lookup(name, { family: 4, all: true }));
await show("lookup v6", () => lookup(name, { family: 6, hints: dns.ADDRCONFIG | dns.V4MAPPED, all: true }));
await show("connect", () => event(net.connect(81, name), (socket, resolve) => socket.on("connect", resolve)));
await show("http", () =>
  event(http.get(`http://${name}/`), (request, resolve) =>
    request.on("response", async (response) => resolve((await response.setEncoding("utf8").toArray()).join(""))),
  ),
);
