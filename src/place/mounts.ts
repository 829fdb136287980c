// Mounts as /proc tells of them (proc(5), mountinfo).
import fs from "node:fs";
import path from "node:path";

export interface Mount {
  /** Of the file system, `major:minor`. */
  readonly device: string;
  /** What of its file system is mounted; ends in //deleted where that has been removed since. */
  readonly root: string;
  readonly point: string;
  readonly fileSystem: string;
  readonly isNoexec: boolean;
}

const OCTAL = /\\([0-7]{3})/g; // of space, tab, newline and backslash

/** In the order in which they were made. */
export function mountsIn(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", behind = ""] = line.split(" - ", 2);
    const [, , device, root, point, options] = before.split(" ");
    if (device === undefined || root === undefined || point === undefined || options === undefined) return [];
    const isNoexec = options.split(",").includes("noexec");
    return [
      {
        device,
        root: unescaped(root),
        point: unescaped(point),
        fileSystem: behind.split(" ", 1)[0] as string,
        isNoexec,
      },
    ];
  });
}

/** The one that a file lies on, or undefined where /proc does not tell. */
export function mountOf(file: string, mounts = readMounts()): Mount | undefined {
  const whole = Buffer.from(path.resolve(file)).toString("latin1"); // a path is bytes, and so the text is read
  const holds = ({ point }: Mount) => point === "/" || whole === point || whole.startsWith(`${point}/`);
  return mounts.filter(holds).reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.point.length >= best.point.length ? mount : best), // the last covers
    undefined,
  );
}

/** As a process has them; none where they may not be read. */
export function readMounts(process: number | "self" = "self"): Mount[] {
  try {
    return mountsIn(fs.readFileSync(`/proc/${process}/mountinfo`, "latin1"));
  } catch {
    return [];
  }
}

function unescaped(text: string): string {
  return text.replaceAll(OCTAL, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
