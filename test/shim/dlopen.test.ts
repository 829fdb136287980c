// The hook of dlopen: RTLD_DEEPBIND is cleared in PHP, and to everybody else it is as if it were not there.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram, CLIENT, muslMissing } from "../support/programs.ts";
import { sandbox, sandboxMissing } from "../support/sandbox.ts";
import { answersFrom, scriptedServer } from "../support/scriptedServer.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LIBRARY_FLAGS = ["-shared", "-fPIC", "-D_GNU_SOURCE"];
const OPENER_FLAGS = ["-rdynamic", "-D_GNU_SOURCE"];
const [RTLD_NOW, RTLD_DEEPBIND] = [2, 8];

const CLEARED = "the opener's\n"; // whose function a library calls that has one of the same name
const DEEPLY_BOUND = "its own\n";
const PHP_NAMES = [
  ...["php", "php8.2", "php-fpm7.4", "php-cgi", "phpdbg", "apache2", "httpd"],
  ...["frankenphp", "lsphp", "lsphp81", "litespeed", "openlitespeed", "unitd", "uwsgi", "uwsgi-core"],
];
const OTHER_NAMES = ["ruby", "xphp", "apache", "apache2x", "httpd-x", "unit", "lsof", "opener"];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "namewell-dlopen-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

for (const libc of ["glibc", "musl"] as const) {
  const missing = libc === "musl" ? muslMissing() : undefined;
  describe.skipIf(missing)(`dlopen, ${libc}${missing ? ` (skipped: ${missing})` : ""}`, () => {
    let place: string;
    let library: string;
    let preloadedBehind: string;
    const named = (name: string) => join(place, name);

    beforeAll(() => {
      place = join(directory, libc);
      mkdirSync(join(place, "inner"), { recursive: true });
      const runpath = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/inner";
      library = named("opened.so");
      copyFileSync(buildProgram("test/shim/opened.c", libc, [...LIBRARY_FLAGS, runpath]), library);
      copyFileSync(library, join(place, "inner", "libinner.so"));
      preloadedBehind = named("nextOpener.so");
      copyFileSync(buildProgram("test/shim/nextOpener.c", libc, LIBRARY_FLAGS), preloadedBehind);
      const opener = buildProgram("test/shim/opener.c", libc, OPENER_FLAGS);
      for (const name of [...PHP_NAMES, ...OTHER_NAMES, "deleted"]) copyFileSync(opener, named(name));
    });

    const run = (name: string, task: string[], env: Record<string, string> = {}) => {
      const { status, stdout, stderr } = spawnSync(named(name), task, {
        encoding: "utf8",
        env: { LD_PRELOAD: CLIENT, ...env },
        timeout: 20_000,
      });
      expect({ name, status }).toEqual({ name, status: 0 });
      return { stdout, stderr };
    };
    const bind = (name: string, env: Record<string, string> = {}) => run(name, ["bind", library], env).stdout;

    it("finds what the RUNPATH of the calling library says, and not for others", () => {
      for (const name of ["php", "opener"]) {
        const without = run(name, ["runpath", library, "libinner.so"], { LD_PRELOAD: "" });
        const found = libc === "glibc" ? "the library does" : "the library does not"; // musl never looks there
        expect(without.stdout).toBe(`the program does not, ${found}\n`);
        expect(run(name, ["runpath", library, "libinner.so"])).toEqual(without);
      }
    });

    it("leaves handles, RTLD_NOLOAD, RTLD_DEFAULT, errors and errno as they were", () => {
      for (const task of ["again", "errors"]) {
        const without = run("php", [task, library], { LD_PRELOAD: "" });
        expect(run("php", [task, library])).toEqual(without);
        expect(run("opener", [task, library])).toEqual(without);
      }
    });

    it("jumps to the next dlopen, as its caller's call and with the caller's errno", () => {
      const LD_PRELOAD = `${CLIENT} ${preloadedBehind}`;
      const seen = (name: string) => run(name, ["errors", library], { LD_PRELOAD }).stderr.split("\n")[0];
      const flags = libc === "glibc" ? RTLD_NOW : RTLD_NOW | RTLD_DEEPBIND;
      expect(seen("php")).toBe(`no-such-library.so by php with ${flags}, errno 34`);
      expect(seen("ruby")).toBe(`no-such-library.so by ruby with ${RTLD_NOW | RTLD_DEEPBIND}, errno 34`);
    });

    it("serves a library whose constructor runs before ours", () => {
      const env = { LD_PRELOAD: `${CLIENT} ${preloadedBehind}`, OPEN_EARLY: library };
      const { stdout, stderr } = run("php", ["bind", library], env);
      expect(stdout).toBe(CLEARED);
      const flags = libc === "glibc" ? RTLD_NOW : RTLD_NOW | RTLD_DEEPBIND;
      expect(stderr).toMatch(`opened.so by nextOpener.so with ${flags}, errno`);
    });

    if (libc === "musl") {
      it("is given every flag unchanged, whatever the program and the setting", () => {
        for (const name of ["php", "ruby"])
          for (const setting of ["", "0", "1"]) {
            const env = { LD_PRELOAD: `${CLIENT} ${preloadedBehind}`, DNS_CACHE_CLEAR_DEEPBIND: setting };
            const { stdout, stderr } = run(name, ["bind", library], env);
            expect(stdout).toBe(CLEARED); // as always there
            expect(stderr).toMatch(`opened.so by ${name} with ${RTLD_NOW | RTLD_DEEPBIND}, errno`);
          }
      });
      return;
    }

    it("binds deeply without the preload, so that these tests can tell", () => {
      expect(bind("php", { LD_PRELOAD: "" })).toBe(DEEPLY_BOUND);
    });

    it.each(PHP_NAMES)("clears the bit in %s, unless it is told not to", (name) => {
      expect(bind(name)).toBe(CLEARED);
      expect(bind(name, { DNS_CACHE_CLEAR_DEEPBIND: "0" })).toBe(DEEPLY_BOUND);
    });

    it.each(OTHER_NAMES)("keeps the bit in %s, unless it is told not to", (name) => {
      expect(bind(name)).toBe(DEEPLY_BOUND);
      expect(bind(name, { DNS_CACHE_CLEAR_DEEPBIND: "1" })).toBe(CLEARED);
    });

    it("takes any other value of the setting as if it were not set", () => {
      for (const DNS_CACHE_CLEAR_DEEPBIND of ["", "yes", "10", "01", " 1"]) {
        expect(bind("php", { DNS_CACHE_CLEAR_DEEPBIND })).toBe(CLEARED);
        expect(bind("ruby", { DNS_CACHE_CLEAR_DEEPBIND })).toBe(DEEPLY_BOUND);
      }
    });

    it("is left alone with DNS_CACHE_OFF=1, whatever else is set", () => {
      expect(bind("php", { DNS_CACHE_OFF: "1" })).toBe(DEEPLY_BOUND);
      expect(bind("php", { DNS_CACHE_OFF: "1", DNS_CACHE_CLEAR_DEEPBIND: "1" })).toBe(DEEPLY_BOUND);
    });

    it("decides the same in children, in their children, and in threads", () => {
      expect(run("php", ["fork", library]).stdout).toBe(CLEARED.repeat(3));
      expect(run("ruby", ["fork", library]).stdout).toBe(DEEPLY_BOUND.repeat(3));
    });

    it("knows a program whose file has been replaced", () => {
      mkdirSync(named("upgraded"));
      copyFileSync(named("apache2"), named("upgraded/apache2"));
      expect(run("upgraded/apache2", ["bind-deleted", library]).stdout).toBe(CLEARED);
      expect(run("deleted", ["bind-deleted", library]).stdout).toBe(DEEPLY_BOUND);
    });

    it("is NULL in a process that has no other, errno kept, and can be unwound", () => {
      const program = buildProgram("test/shim/unopened.c", "glibc", [
        "-D_GNU_SOURCE",
        `-I${root}/shim`,
        "-rdynamic",
        "-fasynchronous-unwind-tables",
      ]);
      expect(spawnSync(program, ["none"], { encoding: "utf8" }).stdout).toBe("NULL, errno kept\n");
      expect(spawnSync(program, ["backtrace"], { encoding: "utf8" }).stdout).toBe("main\n");
    });

    const closed = sandboxMissing();
    it.skipIf(closed)(
      `goes by the started path where there is no /proc${closed ? ` (skipped: ${closed})` : ""}`,
      async () => {
        const box = await sandbox();
        try {
          expect(await box.run(["mount", "-t", "tmpfs", "none", "/proc"])).toMatchObject({ code: 0 });
          const env = { LD_PRELOAD: CLIENT };
          const without = async (name: string) => (await box.run([named(name), "bind", library], { env })).stdout;
          expect(await without("php-fpm7.4")).toBe(CLEARED);
          expect(await without("ruby")).toBe(DEEPLY_BOUND);
        } finally {
          await box.close();
        }
      },
    );

    it.skipIf(closed)(
      `brings a deeply bound library's lookups to the cache${closed ? ` (skipped: ${closed})` : ""}`,
      async () => {
        const box = await sandbox({ resolvConf: "nameserver 192.0.2.200\n" });
        const server = await scriptedServer(answersFrom({ "www.example": { a: ["198.51.100.7"] } }));
        try {
          const zone = { "www.example": { A: ["198.51.100.9"] } };
          const upstream = ["192.0.2.200", JSON.stringify(zone)];
          await box.startModule(`${root}/test/support/zoneUpstream.ts`, upstream, { ready: /ready/ });
          const look = async (name: string, setting: Record<string, string> = {}) => {
            const env = { LD_PRELOAD: CLIENT, DNS_CACHE_DIR: server.directory, ...setting };
            return (await box.run([named(name), "look", library, "www.example"], { env })).stdout;
          };
          expect(await look("php", { DNS_CACHE_CLEAR_DEEPBIND: "0" })).toBe("198.51.100.9\n");
          expect(await look("ruby")).toBe("198.51.100.9\n");
          expect(server.questions.length).toBe(0);
          expect(await look("php")).toBe("198.51.100.7\n");
          expect(server.questions.length).toBe(1);
        } finally {
          await server.close();
          await box.close();
        }
      },
    );
  });
}
