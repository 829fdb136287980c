// `secureUpstream.ts HOST CERTIFICATE KEY`: a DNS server over TLS on port 853 and over HTTPS on port 443, to be started in a
// sandbox. Every name has the one address of replyTo. Prints the authorities that it is asked under.
import fs from "node:fs";
import http2 from "node:http2";
import tls from "node:tls";
import { replyTo } from "./transports.ts";

const [host = "127.0.0.1", certPath = "", keyPath = ""] = process.argv.slice(2);
const identity = { cert: fs.readFileSync(certPath), key: fs.readFileSync(keyPath) };

const overTls = tls.createServer({ ...identity, ALPNProtocols: ["dot"] }, (socket) => {
  let received = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const reply = replyTo(received.subarray(2, end));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
      received = received.subarray(end);
    }
  });
});
const overHttps = http2.createSecureServer(identity);
overHttps.on("stream", (stream, headers) => {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    console.log(`asked under ${headers[":authority"]}`);
    stream.respond({ ":status": 200, "content-type": "application/dns-message" });
    stream.end(replyTo(Buffer.concat(chunks)));
  });
});
await new Promise<void>((resolve) => overTls.listen(853, host, resolve));
await new Promise<void>((resolve) => overHttps.listen(443, host, resolve));
console.log("ready");
