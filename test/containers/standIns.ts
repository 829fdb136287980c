// Images that stand for the public ones, made of Debian's packages and Node's. They are kept, with a
// `docker compose`, in build/containers under a name that changes with all they are made from; made anew they take
// two to three minutes on two cores.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { mirror, openArchive, SUITE } from "./debian.ts";
import type { Engine } from "./engine.ts";
import { buildMuslPhp } from "./muslPhp.ts";
import { makeArm64Slim, NODE_VERSION, putNode } from "./nodes.ts";

const HERE = import.meta.dirname;
const RECIPE = join(HERE, "standins");
const KEPT = join(HERE, "../../build/containers");
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
const COMPOSE = "usr/libexec/docker/cli-plugins/docker-compose";

/** The variables of compose.yaml that name its base images. */
export const STAND_INS = {
  NODE_IMAGE: "namewell-standin/node",
  NODE_SLIM_IMAGE: "namewell-standin/node-slim",
  PHP_IMAGE: "namewell-standin/php",
  PHP_ALPINE_IMAGE: "namewell-standin/php-musl",
  NGINX_IMAGE: "namewell-standin/nginx",
} as const;

/** NODE_SLIM_IMAGE of arm64, whatever this machine is; only files, for nothing of it is run in a build. */
export const NODE_SLIM_ARM64 = "namewell-standin/node-slim-arm64";

/** Puts the images into the engine; gives the command that is `docker compose`. */
export async function loadStandIns(engine: Engine, workspace: string): Promise<string[]> {
  const kept = join(KEPT, recipeKey());
  if (!existsSync(kept)) {
    const making = join(workspace, "kept");
    mkdirSync(making, { recursive: true });
    await make(engine, workspace, making);
    rmSync(KEPT, { recursive: true, force: true });
    mkdirSync(KEPT, { recursive: true });
    cpSync(making, `${kept}.new`, { recursive: true });
    renameSync(`${kept}.new`, kept);
  } else {
    await engine.docker("load", "--quiet", "--input", join(kept, "images.tar"));
  }
  const own = await engine.docker("compose", "version").catch(() => undefined);
  return own === undefined ? [join(kept, "docker-compose")] : ["docker", "compose"];
}

async function make(engine: Engine, workspace: string, kept: string): Promise<void> {
  const context = join(workspace, "context");
  cpSync(RECIPE, context, { recursive: true });
  const archive = await openArchive(join(workspace, "archive"));
  const parts = await Promise.allSettled([
    packDebian(join(workspace, "debian"), join(context, "debian.tar")),
    buildMuslPhp(archive, join(workspace, "work"), join(context, "musl")),
    copyNode(join(context, "node")),
    makeArm64Slim(join(workspace, "arm64-archive"), join(workspace, "arm64")),
    archive.unpack("docker-compose", join(workspace, "compose")),
  ]);
  for (const part of parts) if (part.status === "rejected") throw part.reason;
  for (const image of Object.values(STAND_INS)) {
    const target = image.replace(/^.*\//, "");
    await engine.docker("build", "--network", "host", "--target", target, "--tag", image, context);
  }
  cpSync(join(workspace, "compose", COMPOSE), join(kept, "docker-compose"));
  const env = { ...engine.environment, ARM64_ROOT: join(workspace, "arm64") };
  await command([join(kept, "docker-compose"), "-f", join(context, "arm64.yaml"), "build"], { env });
  await engine.docker("save", "--output", join(kept, "images.tar"), ...Object.values(STAND_INS), NODE_SLIM_ARM64);
}

async function packDebian(root: string, tar: string): Promise<void> {
  // debootstrap mounts /proc in it: not for the machine to see.
  await command(["unshare", "--mount", "debootstrap", "--variant=minbase", SUITE, root, await mirror()]);
  const unneeded = ["./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/locale/*"];
  await command(["tar", "-C", root, ...unneeded.map((path) => `--exclude=${path}`), "-cf", tar, "."]);
}

/** The Node of the image's base, and this machine's npm, with what npm needs to know to reach its registry from here. */
async function copyNode(root: string): Promise<void> {
  const npm = (await command(["npm", "root", "--global"])).trim();
  await putNode(process.arch, root);
  cpSync(join(npm, "npm"), join(root, "lib/node_modules/npm"), { recursive: true, dereference: true });
  const registry = (await command(["npm", "config", "get", "registry"])).trim();
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/npmrc"), `registry=${registry}\n`);
  writeFileSync(join(root, "etc/certificates.pem"), existsSync(CERTIFICATES) ? readFileSync(CERTIFICATES) : "");
}

function recipeKey(): string {
  const hash = createHash("sha256").update(`${NODE_VERSION} ${process.arch}`);
  for (const file of ["muslPhp.ts", "debian.ts", "nodes.ts", "standIns.ts"])
    hash.update(readFileSync(join(HERE, file)));
  for (const file of readdirSync(RECIPE).sort()) hash.update(file).update(readFileSync(join(RECIPE, file)));
  return hash.digest("hex").slice(0, 16);
}
