// All that is checked without running the product: types, style and habits of TypeScript and C. `--write` formats.
import { spawnSync } from "node:child_process";
import { globSync } from "./fs.mjs";

const isWriting = process.argv.includes("--write");
const cSources = [
  ...globSync("shim/*.c"),
  ...globSync("shim/*.h"),
  ...globSync("shim/doctor/*"),
  ...globSync("test/**/*.c"),
  ...globSync("bench/*.c"),
].filter((file) => !/(layout|codes)\.h$/.test(file));

const checks = [
  ["npx", "tsc", "-p", "tsconfig.json"],
  ["npx", "tsc", "-p", "assembly/tsconfig.json", "--noEmit"],
  ["npx", "biome", "check", "--error-on-warnings", ...(isWriting ? ["--write"] : [])],
  ["clang-format", ...(isWriting ? ["-i"] : ["--dry-run", "-Werror"]), ...cSources],
  ["make", "--no-print-directory", "-s", "-C", "shim", "analyze"],
];

let failed = false;
for (const [command, ...args] of checks) {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status === 0) continue;
  if (error?.code === "ENOENT" && process.env.CI !== "true") {
    console.error(`${command} is missing here (apt-get install ${command}): its check is skipped`);
    continue;
  }
  console.error(`failed: ${[command, ...args.slice(0, 4)].join(" ")}`);
  failed = true;
}
process.exit(failed ? 1 : 0);
