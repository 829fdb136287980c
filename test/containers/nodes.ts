// Node's published programs, from npm's packages of them, and a Debian of arm64 with as much as the image takes of it.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { openArchive } from "./debian.ts";

/** Of the line that the Dockerfile names. */
export const NODE_VERSION = "24.21.0";
const LIBRARIES = ["libc6", "libgcc-s1", "libstdc++6", "gcc-14-base"];

export async function putNode(architecture: string, into: string): Promise<void> {
  mkdirSync(join(into, "bin"), { recursive: true });
  const work = mkdtempSync(join(into, "package-"));
  const packed = await command(["npm", "pack", "--silent", `node-linux-${architecture}@${NODE_VERSION}`], {
    cwd: work,
  });
  const files = ["bin/node", "LICENSE"];
  await command(["tar", "-xf", packed.trim(), ...files.map((file) => `package/${file}`)], { cwd: work });
  for (const file of files) cpSync(join(work, "package", file), join(into, file));
  rmSync(work, { recursive: true });
}

export async function makeArm64Slim(work: string, root: string): Promise<void> {
  mkdirSync(join(root, "usr/lib"), { recursive: true });
  symlinkSync("usr/lib", join(root, "lib"));
  const archive = await openArchive(work, "arm64");
  for (const name of LIBRARIES) await archive.install(name, root);
  await putNode("arm64", join(root, "usr/local"));
}
