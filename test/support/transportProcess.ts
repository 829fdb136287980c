// A process of its own that puts one question over a transport, for what concerns a whole process: the authorities that it
// was started with, what it does on an uncaught exception, when it ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TIMEOUT_MS = 30_000;

const BEGINNING = `
  import dnsPacket from "dns-packet";
  import { upstreamAddress } from "./src/upstream/address.ts";
  import { createHttpsTransport } from "./src/upstream/https.ts";
  import { createStreamTransport } from "./src/upstream/stream.ts";
  import { buildQuery } from "./src/upstream/query.ts";
  const address = upstreamAddress(process.argv[2]);
  const transport = (address.transport === "https" ? createHttpsTransport : createStreamTransport)(address);
  const query = buildQuery({ name: "a.example", type: 1 }, { edns: true, mixedCase: false, padded: true });
`;

/** Prints the address in the reply to `a.example`, or why there is none. */
export const PRINTS_ADDRESS = `
  transport.send(query, {
    receive(message) {
      console.log(dnsPacket.decode(message).answers[0]?.data);
      return true;
    },
    fail(error) { console.log(error.message); },
  });
`;

export interface TransportProgram {
  /** To an upstream as users write it. */
  run(upstream: string, env?: NodeJS.ProcessEnv): Promise<{ readonly code: number | null; readonly output: string }>;
  close(): void;
}

/** @param script has `transport` and `query` */
export async function transportProgram(script: string): Promise<TransportProgram> {
  const directory = mkdtempSync(join(tmpdir(), "namewell-transport-"));
  const outfile = join(directory, "program.mjs");
  await build({
    stdin: { contents: BEGINNING + script, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return {
    async run(upstream, env = {}) {
      const child = spawn(process.execPath, [outfile, upstream], {
        env: { PATH: process.env.PATH, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        timeout: TIMEOUT_MS,
        killSignal: "SIGKILL",
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (text) => {
          output += text;
        });
      }
      const [code] = (await once(child, "close")) as [number | null];
      return { code, output: output.trimEnd() };
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
