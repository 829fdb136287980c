// Makes a checkout ready to run: installs the packages that are missing and builds what is missing or stale.
// Every npm script that needs them calls it first, so that one command on a fresh clone is enough. client.so is built for
// this machine and where a cross compiler is installed; `--all` fails where one is not.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "./fs.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const mtime = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** True when a target is missing or older than a source. */
function isStale(targets, sources) {
  const made = Math.min(...targets.map(mtime));
  return sources.some((source) => mtime(source) > made);
}

function run(command, args, hint) {
  try {
    execFileSync(command, args, { stdio: ["ignore", 2, "inherit"] });
  } catch (error) {
    console.error(error.code === "ENOENT" ? `${command} is missing. ${hint}` : `${command} ${args.join(" ")} failed.`);
    process.exit(1);
  }
}

function installPackages() {
  const lock = readFileSync("package-lock.json", "utf8");
  const stamp = "node_modules/.namewell-lock";
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  console.error("Installing packages");
  run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"], "Install Node.js 20 or newer.");
  writeFileSync(stamp, lock);
}

const BUILD_TOOLS = [...globSync("tools/*.mjs"), "package-lock.json"];

function buildWasm() {
  const sources = [...globSync("assembly/*.ts"), "asconfig.json", ...BUILD_TOOLS];
  if (!isStale(["dist/namewell.wasm", "build/namewell.debug.wasm"], sources)) return;
  console.error("Building dist/namewell.wasm");
  run("node", ["tools/build-wasm.mjs"], "");
}

function buildClient() {
  run("node", ["tools/layout-header.mjs", "--write"], "");
  run("node", ["tools/doctor-codes.mjs", "--write"], "");
  const libraries = process.argv.includes("--all") ? "all" : "here";
  run(
    "make",
    ["--no-print-directory", "-s", "-j2", "-C", "shim", libraries],
    "Install a C compiler and make (Debian: gcc make libc6-dev).",
  );
}

const RENAMED = { "src/operate/worker.ts": "operate" }; // beside server.js it is known by what it does

async function buildServer() {
  const sources = [...globSync("src/**/*.ts"), ...globSync("demo/*.ts"), "assembly/layout.ts", ...BUILD_TOOLS];
  const entries = [
    "src/server.ts",
    "src/operate/worker.ts",
    "src/cli/namewell.ts",
    "demo/demo.ts",
    "demo/exampleUpstream.ts",
  ];
  // The image is built without it.
  if (existsSync("bench")) {
    sources.push(...globSync("bench/*.ts"), ...globSync("test/support/*.ts"));
    entries.push("bench/bench.ts", "bench/benchUpstream.ts");
  }
  const names = entries.map((entry) => RENAMED[entry] ?? entry.replace(/^.*\/|\.ts$/g, ""));
  const targets = names.map((name) => `dist/${name}.js`);
  if (!isStale(targets, sources)) return;
  console.error("Building dist/server.js");
  const { build } = await import("esbuild");
  await build({
    entryPoints: entries.map((entry, at) => ({ in: entry, out: names[at] })),
    outdir: "dist",
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
  });
  if (existsSync("docs")) run("node", ["tools/commands-doc.mjs", "--write"], ""); // the image is built without them
}

installPackages();
buildWasm();
buildClient();
await buildServer();
