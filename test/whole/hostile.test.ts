// Names that mean something to a browser, a terminal or a log: harmless wherever the server shows them.
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { askOnce } from "../support/frames.ts";
import { type Running, type Sandbox, sandbox, sandboxMissing } from "../support/sandbox.ts";

const SERVER = fileURLToPath(new URL("../../dist/server.js", import.meta.url));
const ZONE_MODULE = fileURLToPath(new URL("../support/zoneUpstream.ts", import.meta.url));
const LONG = `${[..."abc"].map((letter) => letter.repeat(63)).join(".")}.${"d".repeat(61)}`;
const PRINTABLE = ["<script>alert(1)</script>.example", "\"'&;`$(x)`.example", "{{7*7}}%0d%0a.example", LONG];
const CONTROLS = ["\u001b[31mred.example", "a\nb.example", "a\0b.example", "\u009b31m.example", "\u00ff.example"];
const missing = sandboxMissing();

describe.skipIf(missing)("hostile names", () => {
  let directory: string;
  let box: Sandbox;
  let server: Running;

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    box = await sandbox({ resolvConf: "nameserver 127.0.0.5\n" });
    await box.startModule(ZONE_MODULE, ["127.0.0.5", "{}"], { ready: /ready/ });
    const env = { DNS_CACHE_DIR: directory, DNS_CACHE_HTTP_NAMES: "on", DNS_CACHE_LOG_LEVEL: "trace" };
    server = await box.start([process.execPath, SERVER], { env, ready: /Listening/ });
    for (const name of [...PRINTABLE, ...CONTROLS]) {
      await askOnce(path.join(directory, "dns.sock"), [name]).catch(() => undefined);
    }
    await vi.waitFor(async () => expect(await get("/livez")).toContain("ok"), 10_000);
  });
  afterAll(async () => {
    await server?.stop();
    await box?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  async function get(path: string): Promise<string> {
    const { stdout } = await box.run(["curl", "-s", "-i", "-g", `http://127.0.0.1:9953${path}`]);
    return stdout;
  }
  const bodyOf = (response: string) => response.slice(response.indexOf("\r\n\r\n") + 4);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

  it("are questions where they are printable, and refused where they are not", async () => {
    const names = JSON.parse(bodyOf(await get("/names"))) as { top: Array<{ name: string }> };
    expect(names.top.map(({ name }) => name).sort()).toEqual([...PRINTABLE].sort());
    expect(bodyOf(await get("/metrics"))).toContain(
      `namewell_client_frames_refused_total{reason="malformed"} ${CONTROLS.length}`,
    );
  });

  it("break no line of the log, and no control character stands there", () => {
    const lines = server.stdout().trimEnd().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty("msg");
    expect(server.stdout()).not.toMatch(CONTROL);
    expect(lines.some((line) => line.includes(LONG))).toBe(true);
  });

  it("are text on the page, and of a type that no browser takes for a page elsewhere", async () => {
    const page = await get("/?name=%3Cscript%3Ealert(1)%3C/script%3E.example");
    expect(page.match(/<script/g)?.length).toBe(1); // the page's own file
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;.example");
    expect(bodyOf(page)).not.toMatch(CONTROL);
    for (const path of ["/names", "/lookup?name=%1b%5b31m", "/status"]) {
      const response = await get(path);
      expect(response).toMatch(/^content-type: application\/json/im);
      expect(response).toMatch(/^x-content-type-options: nosniff/im);
      expect(bodyOf(response)).not.toMatch(CONTROL);
    }
  });

  it("are not in the metrics", async () => {
    const text = bodyOf(await get("/metrics"));
    for (const name of PRINTABLE) expect(text).not.toContain(name);
  });
});
