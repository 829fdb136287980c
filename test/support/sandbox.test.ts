// The sandbox itself: what the other tests lean on.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { otherUsersMissing, sandbox, sandboxMissing } from "./sandbox.ts";

const missing = sandboxMissing();
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

// The same files by another root, and an /etc for both that may be spoilt.
const IN_CHROOT = `
cp -a /etc "$1"
mount --bind "$1/etc" /etc
mkdir "$1/root"
mount --rbind / "$1/root"
chroot "$1/root" "$2" "$3"
cat /etc/hosts
`;

describe.skipIf(missing)(`sandbox${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it("shows the given files in /etc and leaves the machine's own alone", async () => {
    const before = readFileSync("/etc/hosts", "utf8");
    const box = await sandbox({ hosts: "192.0.2.1 only.here\n", resolvConf: "nameserver 127.0.0.1\n" });
    expect((await box.run(["cat", "/etc/hosts"])).stdout).toBe("192.0.2.1 only.here\n");
    await box.write("/etc/resolv.conf", "search changed\n");
    expect((await box.run(["cat", "/etc/resolv.conf"])).stdout).toBe("search changed\n");
    await box.close();
    expect(readFileSync("/etc/hosts", "utf8")).toBe(before);
  });

  it.skipIf(otherUsersMissing())("leaves it alone where the tests run in a chroot, too", () => {
    const directory = mkdtempSync(join(tmpdir(), "namewell-test-"));
    const module = join(ROOT, "build", "test", `chroot-${process.pid}.mjs`); // where it finds its packages
    const contents = `import { sandbox } from "./sandbox.ts";
      const box = await sandbox({ hosts: "192.0.2.1 only.here" });
      console.log((await box.run(["cat", "/etc/hosts"])).stdout);
      await box.close();`;
    const stdin = { contents, resolveDir: join(ROOT, "test", "support") };
    buildSync({ stdin, outfile: module, bundle: true, platform: "node", format: "esm", packages: "external" });
    try {
      const alone = ["--mount", "--propagation", "private"];
      const script = ["sh", "-ec", IN_CHROOT, "sh", directory, process.execPath, module];
      const { stdout, stderr } = spawnSync("unshare", [...alone, ...script], { encoding: "utf8" });
      expect(stderr).toBe("");
      expect(stdout).toBe(`192.0.2.1 only.here\n${readFileSync("/etc/hosts", "utf8")}`);
    } finally {
      rmSync(module);
      rmSync(directory, { recursive: true });
    }
  });

  it("has the asked addresses and no way out", async () => {
    const box = await sandbox({ addresses: ["192.0.2.200/32", "2001:db8::200/128"], hostname: "elsewhere" });
    const { stdout } = await box.run(["sh", "-c", "ip -o address; cat /proc/sys/kernel/hostname; ip route"]);
    await box.close();
    expect(stdout).toContain("192.0.2.200/32");
    expect(stdout).toContain("2001:db8::200/128");
    expect(stdout).toContain("elsewhere");
    expect(stdout).not.toContain("default");
  });

  it("gives exit code, signal, streams, input, environment and user of a command", async () => {
    const box = await sandbox();
    expect(await box.run(["sh", "-c", "cat; echo bad >&2; exit 3"], { input: "in" })).toEqual({
      code: 3,
      signal: null,
      stdout: "in",
      stderr: "bad\n",
    });
    expect((await box.run(["sh", "-c", "echo $COLOUR"], { env: { COLOUR: "green" } })).stdout).toBe("green\n");
    if (process.getuid?.() === 0) expect((await box.run(["id", "-u"], { uid: 65534 })).stdout).toBe("65534\n");
    expect((await box.run(["sh", "-c", "kill -SEGV $$"])).signal).toBe("SIGSEGV");
    expect((await box.run(["sleep", "100"], { timeoutMs: 100 })).code).toBe(124);
    await box.close();
  });

  it("keeps a started process until it is stopped, and ends the rest when closed", async () => {
    const box = await sandbox();
    const stopped = await box.start(
      ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"],
      {
        ready: /up/,
      },
    );
    expect(await stopped.stop()).toMatchObject({ code: 7, stdout: "up\nbye\n" });
    const forgotten = await box.start(["sh", "-c", "echo up; exec sleep 100"], { ready: /up/ });
    await box.close();
    await forgotten.ended;
  });

  it("runs a TypeScript module inside", async () => {
    const directory = mkdtempSync(join(tmpdir(), "namewell-test-"));
    const file = join(directory, "module.ts");
    writeFileSync(file, 'const text: string = process.argv[2] ?? ""; console.log("got ".concat(text));');
    const box = await sandbox();
    const running = await box.startModule(file, ["it"], { ready: /got it/ });
    await running.ended;
    await box.close();
    rmSync(directory, { recursive: true });
    expect(existsSync(directory)).toBe(false);
  });
});
