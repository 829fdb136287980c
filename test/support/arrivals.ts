// `arrivals.ts PORT...`: takes TCP connections in a sandbox, and prints of each the address that it came to and the
// port. On port 80 it is an HTTP server, whose page is that address; on others it hangs up.
import http from "node:http";
import net from "node:net";

const HTTP_PORT = 80;

function arrived({ localAddress, localPort }: net.Socket): string {
  const address = (localAddress ?? "").replace(/^::ffff:/, "");
  console.log(`arrived at ${address} port ${localPort}`);
  return address;
}

for (const port of process.argv.slice(2).map(Number)) {
  const server =
    port === HTTP_PORT
      ? http.createServer(({ socket }, response) => {
          response.writeHead(200, { "content-type": "text/plain", date: "", connection: "close" });
          response.end(`${arrived(socket)}\n`);
        })
      : net.createServer((socket) => {
          arrived(socket);
          socket.on("error", () => undefined);
          socket.end();
        });
  await new Promise<void>((resolve) => server.listen(port, "::", resolve));
}
console.log("ready");
