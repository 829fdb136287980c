// Debian's PHP-FPM in a sandbox, and nginx before it: a script of one's own behind an address.
import fs from "node:fs";
import path from "node:path";
import { expect, vi } from "vitest";
import { isInstalled } from "../../demo/clients.ts";
import { toolMissing } from "./programs.ts";
import { otherUsersMissing, type Sandbox } from "./sandbox.ts";

const PHP_FPM = fs.readdirSync("/usr/sbin").find((name) => /^php-fpm[\d.]*$/.test(name));

/** Why there is none here, or undefined. Tests skip with this reason, except under CI=true. */
export function phpFpmMissing(): string | undefined {
  if (process.env.CI !== "true") {
    if (PHP_FPM === undefined) return "php-fpm is missing: apt-get install php-fpm";
    if (!isInstalled("/usr/sbin/nginx")) return "nginx is missing: apt-get install nginx-light";
  }
  return toolMissing("curl", "curl") ?? otherUsersMissing();
}

export interface PhpFpmOptions {
  /** Of the sandbox's 127.0.0.1; nginx takes the one a thousand higher. */
  readonly port: number;
  /** A directory that www-data can read, for a directory of its own in it. */
  readonly directory: string;
  readonly script: string;
  /** Lines more for the pool's file. */
  readonly pool?: string;
  readonly env?: Record<string, string>;
}

/** Starts both and gives what asks for the script with a query string: its page. */
export async function startPhpFpm(box: Sandbox, options: PhpFpmOptions): Promise<(query: string) => Promise<string>> {
  const own = path.join(options.directory, `php-${options.port}`);
  fs.mkdirSync(own);
  fs.writeFileSync(path.join(own, "index.php"), options.script);
  const [log, phpConf] = [path.join(own, "log"), path.join(own, "php.conf")];
  const pool = ["user = www-data", "group = www-data", `listen = 127.0.0.1:${options.port}`, "pm = static"];
  const conf = ["[global]", `error_log = ${log}`, "daemonize = no", "[www]", ...pool, "pm.max_children = 2"];
  fs.writeFileSync(phpConf, `${conf.join("\n")}\n${options.pool ?? ""}`);
  await box.start([`/usr/sbin/${PHP_FPM}`, "--fpm-config", phpConf], { env: options.env ?? {} });
  await vi.waitFor(() => expect(fs.readFileSync(log, "utf8")).toContain("ready to handle connections"), 10_000);

  const address = `127.0.0.1:${options.port + 1000}`;
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${own}/${kind};`);
  const script = `include fastcgi_params; fastcgi_param SCRIPT_FILENAME ${own}/index.php;`;
  const site = `server { listen ${address}; ${script} location / { fastcgi_pass 127.0.0.1:${options.port}; } }`;
  const nginxConf = `/etc/nginx/php-${options.port}.conf`; // beside fastcgi_params
  const http = `http { access_log off; ${kinds.join(" ")} ${site} }`;
  await box.write(nginxConf, `daemon off; master_process off; pid ${own}/pid; events {}\n${http}\n`);
  await box.start(["/usr/sbin/nginx", "-e", "stderr", "-c", nginxConf]);

  const ask = (query: string) =>
    box.run(["curl", "--silent", "--show-error", "--fail", "--max-time", "40", `http://${address}/?${query}`]);
  await vi.waitFor(async () => expect(await ask("")).toMatchObject({ code: 0 }), 10_000);
  return async (query) => {
    const { stdout, stderr } = await ask(query);
    return stdout || stderr;
  };
}
