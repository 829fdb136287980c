// Debian's archive, read by an apt of the test's own: the machine's lists and sources stay as they are.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";

/** What the stand-in images are made of. */
export const SUITE = "bookworm";
/** Where newer things come from: musl 1.2.5, which is Alpine's too, and `docker compose`. */
const NEWER_SUITE = "trixie";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

const UNPACK = 'dpkg-deb -x "$1"_*.deb .';
const RECORD = `mkdir -p var/lib/dpkg/info && echo 1 >var/lib/dpkg/info/format
  { dpkg-deb -f "$1"_*.deb && echo "Status: install ok installed" && echo; } >>var/lib/dpkg/status
  dpkg-deb --fsys-tarfile "$1"_*.deb | tar -t | sed 's,^\\.,,; s,/$,,; s,^$,/.,' \\
    >"var/lib/dpkg/info/$1:$(dpkg-deb -f "$1"_*.deb Architecture).list"`;

export interface Archive {
  /** Unpacks a package of the newer suite into a folder. */
  unpack(name: string, into: string): Promise<void>;
  /** The same, and dpkg finds it there. */
  install(name: string, into: string): Promise<void>;
  /** Puts a source package's original tar file into a folder and unpacks that. */
  unpackSource(name: string, into: string): Promise<void>;
}

/** The mirror that this machine uses. */
export async function mirror(): Promise<string> {
  const filter = ["Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"];
  const found = await command(["apt-get", "indextargets", "--format", "$(REPO_URI)", ...filter]).catch(() => "");
  const [first] = found.split("\n");
  if (!first) throw new Error("apt knows no Debian archive here: run apt-get update");
  return first;
}

/** Of this machine's architecture unless another is named. */
export async function openArchive(directory: string, architecture?: string): Promise<Archive> {
  for (const folder of ["lists/partial", "cache/archives/partial"]) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  const from = `[signed-by=${KEYRING}] ${await mirror()}`;
  writeFileSync(join(directory, "sources.list"), `deb-src ${from} ${SUITE} main\ndeb ${from} ${NEWER_SUITE} main\n`);
  const options = [
    `Dir::Etc::SourceList=${directory}/sources.list`,
    "Dir::Etc::SourceParts=/dev/null",
    `Dir::State::Lists=${directory}/lists`,
    `Dir::Cache=${directory}/cache`,
    "APT::Sandbox::User=root",
    "APT::Update::Error-Mode=any",
    "Acquire::http::Timeout=20",
    ...(architecture ? [`APT::Architecture=${architecture}`, `APT::Architectures::=${architecture}`] : []),
  ].flatMap((option) => ["-o", option]);
  const apt = (args: string[], cwd: string) => command(["apt-get", "-q", ...options, ...args], { cwd });

  async function download(name: string, into: string, then: string): Promise<void> {
    mkdirSync(into, { recursive: true });
    await apt(["download", `${name}/${NEWER_SUITE}`], into);
    await command(["sh", "-ec", `${then}\nrm "$1"_*.deb`, "sh", name], { cwd: into });
  }

  await apt(["update"], directory);
  return {
    unpack: (name, into) => download(name, into, UNPACK),
    install: (name, into) => download(name, into, `${UNPACK}\n${RECORD}`),
    async unpackSource(name, into) {
      mkdirSync(into, { recursive: true });
      await apt(["source", "--download-only", name], into);
      await command(["sh", "-c", 'tar -xf "$1"_*.orig.tar.?z --strip-components=1', "sh", name], { cwd: into });
    },
  };
}

/** Why no images can be made: the archive or the npm registry is out of reach. */
export async function debianRefusal(): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "namewell-archive-"));
  try {
    await openArchive(directory);
    await command(["npm", "ping"], { timeoutMs: 60_000 });
    return undefined;
  } catch (error) {
    return `no network for the making of images: ${(error as Error).message.trimEnd().split("\n").at(-1)}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
