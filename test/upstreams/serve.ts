// `serve.ts FILE`: many DNS servers on port 53 of addresses of their own, each with habits of test/story/habits.ts, played
// over real sockets. To be started in a sandbox, so that the real libc has them to ask.
import { readFileSync } from "node:fs";
import net from "node:net";
import { DgramAsPromised } from "dgram-as-promised";
import dnsPacket from "dns-packet";
import type { Transport as Way, Zone } from "../../demo/upstream.ts";
import { delayOf, type Habit, habitOf, repliesOf, type TcpHabit, tcpOf } from "../story/habits.ts";

/** One of the list in the file. */
export interface Played {
  readonly host: string;
  readonly zone: Zone;
  /** In words. */
  readonly habits: readonly string[];
}

const IDLE_MS = 5000; // of a connection: libc waits for ever for a reply over TCP

/** What waits until the only connection is closed. */
interface Door {
  readonly tcp: TcpHabit;
  open: number;
  readonly waiting: Array<() => void>;
}

async function play({ host, zone, habits: words }: Played): Promise<void> {
  const habits: Habit[] = words.map(habitOf);
  const door: Door = { tcp: tcpOf(habits), open: 0, waiting: [] };

  function respond(message: Buffer, way: Way, send: (reply: Buffer) => void): void {
    const query = dnsPacket.decode(message);
    const takesMs = delayOf(habits, query, way);
    const replies = repliesOf({ zone, soaMinimum: 30 }, habits, query, way);
    if (takesMs > 0) setTimeout(() => replies.forEach(send), takesMs);
    else replies.forEach(send);
  }

  const udp = DgramAsPromised.createSocket("udp4");
  udp.socket.on("message", (message, from) =>
    whenFree(door, () =>
      respond(message, "udp", (reply) => udp.socket.send(reply, from.port, from.address, () => undefined)),
    ),
  );
  await udp.bind({ address: host, port: 53 });
  const { connections } = door.tcp;
  if (connections === "refused" || connections === "filtered") return;
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    if (connections !== "mute") whenFree(door, () => socket.destroyed || converse(door, socket, respond));
  });
  await new Promise<void>((resolve) => server.listen(53, host, resolve));
}

function whenFree(door: Door, act: () => void): void {
  if (door.tcp.isOnly && door.open > 0) door.waiting.push(act);
  else act();
}

function converse(
  door: Door,
  socket: net.Socket,
  respond: (message: Buffer, way: Way, send: (reply: Buffer) => void) => void,
): void {
  const { replies = Number.POSITIVE_INFINITY, afterwards } = door.tcp;
  let replied = 0;
  let received = Buffer.alloc(0);
  door.open++;
  socket.on("close", () => {
    door.open--;
    while (door.open === 0 && door.waiting.length > 0) door.waiting.shift()?.();
  });
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const message = received.subarray(2, end);
      received = received.subarray(end);
      respond(message, "tcp", (reply) => {
        if (socket.destroyed || socket.writableEnded || ++replied > replies) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
        if (replied === replies && afterwards === "closed") socket.end();
      });
    }
  });
}

const [file = ""] = process.argv.slice(2);
await Promise.all((JSON.parse(readFileSync(file, "utf8")) as Played[]).map(play));
console.log("ready");
