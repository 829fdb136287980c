// The status page of a running server in a real browser: its numbers, its looks, and that nothing on it can do harm.
import fs from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type ServerProcess, startServer } from "../../demo/serverProcess.ts";
import { startUpstream, type Upstream } from "../../demo/upstream.ts";
import { askOnce } from "../support/frames.ts";
import { toolMissing } from "../support/programs.ts";

const CHROMIUM = "/usr/bin/chromium";
const HOSTILE = "<script>document.title='taken'</script>\u001b[31m";
const missing = toolMissing("chromium", "chromium");

let directory: string;
let upstream: Upstream;
let server: ServerProcess;
let browser: Browser;
let origin: string;

async function freePort(): Promise<number> {
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

describe.skipIf(missing)(`the status page${missing ? ` (skipped: ${missing})` : ""}`, () => {
  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
    upstream = await startUpstream({
      zone: { "a.example": { ttl: 300, A: ["192.0.2.1"] }, "b.example": { ttl: 300, A: ["192.0.2.2"] } },
    });
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    server = startServer({
      DNS_CACHE_DIR: directory,
      DNS_CACHE_UPSTREAMS: `127.0.0.1:${upstream.port}`,
      DNS_CACHE_HTTP: `127.0.0.1:${port}`,
      DNS_CACHE_HTTP_NAMES: "on",
    });
    await server.seen("Listening");
    // 7 lookups: a.example is asked for once and found twice more, two names are denied, one of them twice.
    for (const name of [
      "a.example",
      "a.example",
      "a.example",
      "b.example",
      "none.example",
      "no.example",
      "no.example",
    ]) {
      await askOnce(path.join(directory, "dns.sock"), [name]);
    }
    await vi.waitFor(async () => expect((await fetch(`${origin}/livez`)).status).toBe(200), 10_000);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stopped("SIGTERM");
    await upstream?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  interface Way {
    readonly colorScheme?: "light" | "dark";
    readonly width?: number;
    readonly hasScript?: boolean;
    readonly path?: string;
  }
  async function visit<T>(
    { colorScheme = "light", width = 1280, hasScript = true, path: at = "/" }: Way,
    use: (page: Page) => Promise<T>,
  ) {
    // axe is put into the page by the test, which the page's policy would not allow.
    const context = await browser.newContext({
      colorScheme,
      viewport: { width, height: 900 },
      javaScriptEnabled: hasScript,
    });
    const page = await context.newPage();
    const elsewhere: string[] = [];
    const errors: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:")) elsewhere.push(request.url());
    });
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    try {
      await page.goto(origin + at);
      const result = await use(page);
      expect({ elsewhere, errors }).toEqual({ elsewhere: [], errors: [] });
      return result;
    } finally {
      await context.close();
    }
  }

  /** As it is shown. */
  async function textOf(locator: Locator): Promise<string> {
    const [text = ""] = await locator.allInnerTexts();
    return text;
  }

  /** The cells of the row that begins so, in the table of that caption. */
  async function cellsOf(page: Page, caption: string, row: string): Promise<string[]> {
    const table = page.locator("table", { has: page.locator(`caption:text-is("${caption}")`) });
    const head = page.locator("th").filter({ hasText: new RegExp(`^${row.replaceAll(".", "\\.")}$`) });
    const found = table.locator("tbody tr").filter({ has: head });
    return (await found.locator("td").allInnerTexts()).map((text) => text.trim());
  }

  it.each([true, false])("has the numbers of what was done (script: %s)", async (hasScript) => {
    await visit({ hasScript }, async (page) => {
      expect(await textOf(page.locator("main h2").first())).toBe("All is fine");
      expect((await textOf(page.locator("dl.tiles dd").nth(2))).split("\n")[0]).toBe("7");
      expect(await cellsOf(page, "Misses by what became of them", "DNS servers were asked")).toEqual(["4", "4"]);
      const outcome = (row: string) => cellsOf(page, "Outcomes of lookups over the socket", row);
      expect(await outcome("found")).toEqual(["4", "4"]);
      expect(await outcome("no such name")).toEqual(["3", "3"]);
      expect(await outcome("failed for now")).toEqual(["0", "0"]);
      const [entries = ""] = await cellsOf(page, "The table", "Entries");
      expect(entries).toBe("4 of 65 536");
      expect(await cellsOf(page, "The table", "Denials among them")).toEqual(["2"]);
      const [suffixes, state, share, queries] = await cellsOf(page, "DNS servers", `udp 127.0.0.1:${upstream.port}`);
      expect([suffixes, state, share, queries]).toEqual(["all names", "answers", "100.0 %", "4"]);
      expect(await cellsOf(page, "Names looked up most", "a.example")).toEqual(["3"]);
      await page.locator("#minutes").evaluate((details) => details.setAttribute("open", ""));
      const [lookups, table, socket, misses] = await cellsOf(page, "Lookups by the minute", "the last");
      expect([lookups, table, socket, misses].map(Number)).toEqual([7, 0, 3, 4]);
    });
  });

  it("shows what the cache holds of a name, with its remaining ttl", async () => {
    await visit({}, async (page) => {
      await page.getByLabel("Name", { exact: true }).fill("a.example");
      await page.getByRole("button", { name: "Look up" }).click();
      const table = page.locator("table", { has: page.locator('caption:text-is("What the cache holds of the name")') });
      const [first = []] = await Promise.all([table.locator("tbody tr").first().locator("td").allInnerTexts()]);
      const [type, answer, remaining = "", hits, place] = first;
      expect([type, answer, hits, place]).toEqual(["A", "192.0.2.1", "2", "table"]);
      expect(Number.parseInt(remaining, 10)).toBeGreaterThan(0);
      expect(Number.parseInt(remaining, 10)).toBeLessThanOrEqual(300);
    });
  });

  it("shows a hostile name as text", async () => {
    await visit({ path: `/?name=${encodeURIComponent(HOSTILE)}` }, async (page) => {
      expect(await page.title()).toBe("Namewell: all is fine");
      expect(await textOf(page.locator("main"))).toContain("is not a name");
      expect(await page.content()).not.toContain("\u001b");
    });
  });

  it("renews itself while somebody looks at it, and keeps what is opened", async () => {
    await visit({}, async (page) => {
      await page.locator("#minutes summary").click();
      const before = await cellsOf(page, "Outcomes of lookups over the socket", "found");
      await askOnce(path.join(directory, "dns.sock"), ["b.example"]);
      await expect
        .poll(() => cellsOf(page, "Outcomes of lookups over the socket", "found"), { timeout: 20_000 })
        .toEqual(before.map((count) => String(Number(count) + 1)));
      expect(await page.locator("#minutes").getAttribute("open")).toBe("");
      expect(await textOf(page.locator("#live"))).toBe("Live");
    });
  });

  const ways = (["light", "dark"] as const).flatMap((colorScheme) =>
    [400, 1280].map((width) => ({ colorScheme, width, path: "/?name=a.example" })),
  );
  it.each(ways)("is for everybody: $colorScheme, $width px", async (way) => {
    await visit(way, async (page) => {
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
      const session = await page.context().newCDPSession(page);
      await session.send("Page.setBypassCSP", { enabled: true });
      await page.reload();
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate("axe.run()")) as axe.AxeResults;
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    });
  });
});
