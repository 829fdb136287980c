// The programs that the demo runs: each prints the addresses that its language's own call finds, one a line.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";

export interface Client {
  readonly title: string;
  readonly program: string;
  arguments(name: string): string[];
}

const PYTHON_ADDRESSES =
  "import socket,sys;print(*sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1],80,socket.AF_INET)}),sep='\\n')";
const NODE_LOOKUP =
  "require('dns').lookup(process.argv[1],{family:4,all:true},(e,a)=>{if(e)throw e;console.log(a.map(x=>x.address).join('\\n'))})";
const PERL_LOOKUP = "my @h=gethostbyname($ARGV[0]) or exit 2;print join(qq(\\n),map{inet_ntoa($_)}@h[4..$#h]),qq(\\n)";
const RUBY_LOOKUP = "puts Addrinfo.getaddrinfo(ARGV[0],nil,:INET,:STREAM).map(&:ip_address)";
const PHP_LOOKUP = "$a=gethostbynamel($argv[1]);if($a===false)exit(2);echo implode(PHP_EOL,$a),PHP_EOL;";

export const CLIENTS: readonly Client[] = [
  { title: "getent ahostsv4", program: "getent", arguments: (name) => ["ahostsv4", name] },
  { title: "Python getaddrinfo", program: "python3", arguments: (name) => ["-c", PYTHON_ADDRESSES, name] },
  { title: "PHP gethostbynamel", program: "php", arguments: (name) => ["-r", PHP_LOOKUP, name] },
  { title: "Node dns.lookup", program: process.execPath, arguments: (name) => ["-e", NODE_LOOKUP, name] },
  { title: "Perl gethostbyname", program: "perl", arguments: (name) => ["-MSocket", "-e", PERL_LOOKUP, name] },
  { title: "Ruby getaddrinfo", program: "ruby", arguments: (name) => ["-rsocket", "-e", RUBY_LOOKUP, name] },
];

const PYTHON_TIMES = `
import socket, sys, time
def look(count):
    began = time.perf_counter()
    for _ in range(count):
        socket.gethostbyname(sys.argv[1])
    return round((time.perf_counter() - began) / count * 1e6, 1)
print(look(1), look(int(sys.argv[2])))
time.sleep(1.1)
look(1)
`;
const NODE_TIMES = `
const { lookup } = require("node:dns").promises;
const [name, times] = process.argv.slice(1);
async function look(count) {
  const began = performance.now();
  for (let i = 0; i < count; i++) await lookup(name, 4);
  return (((performance.now() - began) / count) * 1e3).toFixed(1);
}
look(1)
  .then(async (first) => console.log(first, await look(Number(times))))
  .then(() => setTimeout(() => look(1), 1100));
`;

/**
 * Prints microseconds of the first lookup, and of one of COUNT more, COUNT being its last argument. One more after a second:
 * with it a program tells the server of the hits that it has had. Node's lookups go through a thread, and are slower for it.
 */
export function timer(): Client {
  return isInstalled("python3")
    ? { title: "Python", program: "python3", arguments: (name) => ["-c", PYTHON_TIMES, name] }
    : { title: "Node", program: process.execPath, arguments: (name) => ["-e", NODE_TIMES, name] };
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((directory) => {
    try {
      accessSync(path.resolve(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Runs a program to its end, or for 15 s at most. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], timeout: 15_000 });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr, ms: performance.now() - began }));
  });
}

/** The addresses that a client printed, sorted, each once. `getent` puts more behind them on its lines. */
export function addressesIn({ code, stdout }: Run): string[] {
  if (code !== 0) return [];
  return [...new Set(stdout.split("\n").flatMap((line) => line.split(/\s+/, 1)))].filter((word) => word !== "").sort();
}
