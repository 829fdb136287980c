// PHP-FPM for musl, from Debian's source of PHP: what the page of the demo needs and no more. About a minute on two cores.
import { cpSync, mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";
import type { Archive } from "./debian.ts";

const PHP_SOURCE = "php8.2";
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** Makes the root of a file system with php-fpm and musl as its loader. */
export async function buildMuslPhp(archive: Archive, work: string, root: string): Promise<void> {
  const machine = MACHINES[process.arch] ?? process.arch;
  const host = `${machine}-linux-musl`;
  const source = join(work, "php");
  await archive.unpackSource(PHP_SOURCE, source);
  await archive.unpack("musl", join(work, "musl"));

  const configure = ["./configure", `--build=${host}`, `--host=${host}`, "--prefix=/usr/local", "--disable-all"];
  const parts = ["--enable-fpm", "--disable-cli", "--disable-cgi", "--disable-phpdbg"];
  const unwanted = ["--without-pcre-jit", "--without-valgrind"];
  await command([...configure, ...parts, ...unwanted], {
    cwd: source,
    env: { ...process.env, CC: "musl-gcc", CFLAGS: "-O1 -g0 -pipe" },
  });
  await command(["make", "-s", `-j${cpus().length}`, "fpm"], { cwd: source });

  mkdirSync(join(root, "usr/local/sbin"), { recursive: true });
  mkdirSync(join(root, "lib"), { recursive: true });
  cpSync(join(source, "sapi/fpm/php-fpm"), join(root, "usr/local/sbin/php-fpm"));
  await command(["strip", join(root, "usr/local/sbin/php-fpm")]);
  cpSync(join(work, "musl/usr/lib", host, "libc.so"), join(root, `lib/ld-musl-${machine}.so.1`));
}
