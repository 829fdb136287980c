// Why the container tests cannot run on this machine.
import { isInstalled } from "../../demo/clients.ts";
import { sandboxMissing } from "../support/sandbox.ts";
import { debianRefusal } from "./debian.ts";
import { engineRefusal } from "./engine.ts";

const PACKAGES: Readonly<Record<string, string>> = {
  curl: "curl",
  debootstrap: "debootstrap",
  docker: "docker.io",
  dockerd: "docker.io",
  gcc: "gcc",
  ip: "iproute2",
  iptables: "iptables",
  make: "make",
  "musl-gcc": "musl-tools",
  npm: "nodejs",
  pkill: "procps",
  unshare: "util-linux",
  xz: "xz-utils",
};

/** The reason, or undefined. A package that could be installed is no reason in CI: there it is an error. */
export async function containersMissing(): Promise<string | undefined> {
  if (process.platform !== "linux") return "not on Linux";
  const packages = new Set(Object.keys(PACKAGES).flatMap((name) => (isInstalled(name) ? [] : [PACKAGES[name]])));
  if (packages.size > 0) {
    const text = `Debian packages are missing: ${[...packages].join(" ")}`;
    if (process.env.CI === "true") throw new Error(text);
    return text;
  }
  if (process.getuid?.() !== 0) return "an engine of the test's own needs root";
  return sandboxMissing() ?? (await engineRefusal()) ?? (await debianRefusal());
}
