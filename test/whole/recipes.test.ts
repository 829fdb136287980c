// The snippets of docs/recipes.md, as they stand there but for the directory, in a sandbox whose own nameserver is dead.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { isInstalled } from "../../demo/clients.ts";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { phpFpmMissing, startPhpFpm } from "../support/phpFpm.ts";
import { libraryMissing, toolMissing } from "../support/programs.ts";
import { type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const PAGE = fs.readFileSync(fileURLToPath(new URL("../../docs/recipes.md", import.meta.url)), "utf8");
const NAME = "api.example";
const ADDRESS = "198.51.100.7"; // only the cache's upstream gives it
const DENIED = "none.example";

/** The one block of this language under the heading that begins so. */
function snippet(heading: string, language: string): string {
  const section = PAGE.split(/^## /m).find((text) => text.startsWith(heading)) ?? "";
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, its]) => its === language);
  expect(blocks.length, `${language} under ${heading}`).toBe(1);
  return blocks[0]?.[2] as string;
}

const PYTHON = `
import asyncio, os, sys
async def look():
    return await asyncio.get_running_loop().getaddrinfo(sys.argv[1], 80)
if os.fork() == 0:
    print(asyncio.run(look())[0][4][0], flush=True)
else:
    os.wait()
`;
const RUBY = `
require "socket"
puts IPSocket.getaddress(ARGV[0])
puts File.read("/proc/self/maps")[/libjemalloc.so.2/]
`;
const NODE = `
import dns from "node:dns/promises";
const name = process.argv[2];
console.log((await dns.lookup(name)).address);
const resolver = new dns.Resolver({ timeout: 100, tries: 1 });
console.log(await resolver.resolve4(name).catch(({ code }) => code));
`;
const JAVA = `
import java.net.InetAddress;
public class Look {
    public static void main(String[] names) {
        for (int round = 0; round < 2; round++)
            for (String name : names)
                try {
                    System.out.println(InetAddress.getByName(name).getHostAddress());
                } catch (Exception error) {
                    System.out.println("unknown");
                }
    }
}
`;

const missing = sandboxMissing();
let directory: string;
let upstream: Upstream;
let server: ServerProcess;
let box: Sandbox;

beforeAll(async () => {
  if (missing) return;
  directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-recipes-"));
  fs.chmodSync(directory, 0o755);
  upstream = await startUpstream({ zone: { [NAME]: { ttl: 600, A: [ADDRESS] } } });
  const upstreams = { DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`, DNS_CACHE_DENIALS: "final" };
  server = startServer({ DNS_CACHE_DIR: directory, ...upstreams });
  await server.seen("Listening");
  box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
});
afterAll(async () => {
  await box?.close();
  await server?.stopped("SIGTERM");
  await upstream?.close();
  if (directory !== undefined) fs.rmSync(directory, { recursive: true });
});

const here = (text: string) => text.replaceAll("/dns_cache", directory);

/** What the program prints behind the recipe, and which names it asked libc's functions for. */
async function runBehind(recipe: string, file: string, source: string, command: string) {
  fs.writeFileSync(path.join(directory, file), source);
  const script = `${here(recipe)}\nexport DNS_CACHE_EXPLAIN=1\nexec ${command}\n`;
  const { stdout, stderr } = await box.run(["sh", "-c", script], { cwd: directory });
  const asked = [...stderr.matchAll(/^namewell: getaddrinfo "(.*?)": (?:table|socket), /gm)].map(([, name]) => name);
  return { printed: stdout.trimEnd().split("\n"), asked, stderr };
}

const without = (reason: string | undefined) => missing ?? reason;
function recipe(title: string, reason: string | undefined, run: () => Promise<void>): void {
  const skipped = without(reason);
  it.skipIf(skipped)(`${title}${skipped ? ` (skipped: ${skipped})` : ""}`, run, 60_000);
}

describe("the recipe for", () => {
  recipe("Python serves a worker that was forked", toolMissing("python3", "python3"), async () => {
    const ran = await runBehind(snippet("Python", "sh"), "look.py", PYTHON, `python3 look.py ${NAME}`);
    expect(ran).toMatchObject({ printed: [ADDRESS], asked: [NAME] });
  });

  const noRuby = toolMissing("ruby", "ruby") ?? libraryMissing("libjemalloc.so.2", "libjemalloc2");
  recipe("Ruby loads jemalloc as well", noRuby, async () => {
    const ran = await runBehind(snippet("Ruby", "sh"), "look.rb", RUBY, `ruby look.rb ${NAME}`);
    expect(ran).toMatchObject({ printed: [ADDRESS, "libjemalloc.so.2"], asked: [NAME] });
  });

  recipe("Node serves dns.lookup, and nobody serves dns.resolve", undefined, async () => {
    const ran = await runBehind(snippet("Node", "sh"), "look.mjs", NODE, `'${process.execPath}' look.mjs ${NAME}`);
    expect(ran).toMatchObject({ printed: [ADDRESS, "ECONNREFUSED"], asked: [NAME] });
  });

  recipe("Java makes it ask for each lookup and each denial", toolMissing("java", "default-jdk-headless"), async () => {
    const run = () => runBehind(snippet("Java", "sh"), "Look.java", JAVA, `java Look.java ${NAME} ${DENIED}`);
    const printed = [ADDRESS, "unknown", ADDRESS, "unknown"];
    expect(await run()).toMatchObject({ printed, asked: [NAME, DENIED] });
    await box.write("/etc/java-dns.properties", snippet("Java", "properties"));
    expect(await run()).toMatchObject({ printed, asked: [NAME, DENIED, NAME, DENIED] });
  });

  recipe("PHP-FPM gives the cache to what PHP starts", phpFpmMissing(), async () => {
    const script = `<?php echo gethostbyname('${NAME}'), ' ', exec('getent ahostsv4 ${NAME}');`;
    const env = { LD_PRELOAD: path.join(directory, "client.so") };
    const plain = await startPhpFpm(box, { port: 9001, directory, script, env });
    expect(await plain("")).toBe(`${ADDRESS} `);
    const withPool = await startPhpFpm(box, { port: 9002, directory, script, env, pool: snippet("PHP-FPM", "ini") });
    expect(await withPool("")).toMatch(new RegExp(`^${ADDRESS} ${ADDRESS} `));
  });

  const noNginx = process.env.CI === "true" || isInstalled("/usr/sbin/nginx") ? undefined : "nginx is missing";
  recipe("nginx reads names as it reads its configuration, and keeps client.so over an upgrade", noNginx, async () => {
    const pid = path.join(directory, "nginx.pid");
    const site = `upstream backend { server ${NAME}:80; } server { listen 127.0.0.1:8080; }`;
    const rest = `pid ${pid}; events {}\nhttp { access_log off; ${site} }\n`;
    await box.write("/etc/nginx/nginx.conf", `${snippet("nginx", "nginx")}${rest}`);
    await box.run(["mount", "-t", "tmpfs", "tmpfs", "/var/log/nginx"]);
    const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

    expect((await box.run(["nginx", "-t"], { env: { PATH } })).stderr).toContain(`host not found in upstream "${NAME}`);
    const tested = await box.run(["sh", "-c", here(snippet("nginx", "sh"))], { env: { PATH } });
    expect(tested.stderr).toContain(`namewell: getaddrinfo "${NAME}": `);
    expect(tested).toMatchObject({ code: 0 });

    await box.run(["sh", "-c", "exec /usr/sbin/nginx 2>/dev/null"], {
      env: { LD_PRELOAD: path.join(directory, "client.so") },
    });
    const first = await vi.waitFor(() => fs.readFileSync(pid, "utf8").trim() || Promise.reject(), 10_000);
    await box.run(["kill", "-USR2", first]);
    const second = await vi.waitFor(async () => {
      const now = fs.readFileSync(pid, "utf8").trim();
      return now !== first && now !== "" ? now : Promise.reject(new Error("the same master"));
    }, 10_000);
    expect((await box.run(["cat", `/proc/${second}/maps`])).stdout).toContain(path.join(directory, "client.so"));
  });
});
