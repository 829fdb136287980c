// A machine that systemd has started, with a DNS server of its own that its resolv.conf names.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { type Booted, booted } from "./systemd.ts";

const UPSTREAM = fileURLToPath(new URL("zoneUpstream.ts", import.meta.url));

/** `zone` is zoneUpstream's; `units` are texts of services by their names, not started. */
export async function bootedWithZone(
  zone: object,
  files: readonly string[],
  units: Readonly<Record<string, string>> = {},
): Promise<Booted> {
  const directory = mkdtempSync(path.join(tmpdir(), "namewell-zone-"));
  try {
    const bundle = path.join(directory, "zone.mjs");
    const js = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
    buildSync({
      entryPoints: [UPSTREAM],
      outfile: bundle,
      bundle: true,
      platform: "node",
      format: "esm",
      banner: { js },
    });
    const serve = `${process.execPath} /srv/zone.mjs 192.0.2.200 "$$(cat /srv/zone.json)"`;
    const texts = {
      "zone.json": JSON.stringify(zone),
      "zone.service": `[Service]\nExecStart=sh -c 'exec ${serve}'\n`,
      ...units,
    };
    for (const [name, text] of Object.entries(texts)) writeFileSync(path.join(directory, name), text);
    const own = Object.keys(texts).map((name) => path.join(directory, name));
    const machine = await booted([bundle, ...own, ...files]);
    const [name] = Object.keys(zone);
    const start = "mv /srv/*.service /run/systemd/system/ && systemctl daemon-reload && systemctl start zone.service";
    const { code, output } = machine.run(`${start} && until getent ahostsv4 ${name}; do sleep 0.1; done`);
    if (code === 0) return machine;
    await machine.close();
    throw new Error(`no DNS server in the machine: ${output}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
