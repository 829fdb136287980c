// `node tools/deb.mjs [amd64|arm64]`: build/namewell_VERSION_ARCHITECTURE.deb, of what is built and of the packages that are
// installed. dpkg-deb makes the same file of the same files where SOURCE_DATE_EPOCH is set.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as fs from "./fs.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const ARCHITECTURES = { amd64: "x64", arm64: "arm64" };
const OWN = Object.keys(ARCHITECTURES).find((name) => ARCHITECTURES[name] === process.arch);
const [architecture = OWN] = process.argv.slice(2);
const node = ARCHITECTURES[architecture];
const { version } = JSON.parse(fs.readFileSync("package.json", "utf8"));

const LIB = "usr/lib/namewell";
const DOC = "usr/share/doc/namewell";
const PROGRAM = 0o755;
const FILE = 0o644;

function refuse(reason) {
  console.error(`No Debian package: ${reason}`);
  process.exit(1);
}

const root = `build/deb-${architecture}`;

function put(source, target, mode = FILE) {
  const file = path.join(root, target);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  if (!fs.existsSync(source)) refuse(`${source} is missing (npm run build -- --all)`);
  fs.copyFileSync(source, file);
  fs.chmodSync(file, mode);
}

function link(to, name) {
  fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
  fs.symlinkSync(to, path.join(root, name));
}

/** Those that the lock file does not call dev's. */
function putPackages() {
  const { packages } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
  for (const [place, { dev }] of Object.entries(packages)) {
    if (place === "" || dev) continue;
    const isWanted = (file) => !/\.(map|[cm]?ts)$|\/(test|tests|benchmarks|docs|\.github)$/.test(file);
    fs.cpSync(place, path.join(root, LIB, place), { recursive: true, dereference: true, filter: isWanted });
  }
  openToAll(path.join(root, LIB, "node_modules"));
}

/** The server's user reads them, whatever the umask was that they were installed with. */
function openToAll(file) {
  const status = fs.statSync(file);
  fs.chmodSync(file, status.isDirectory() || status.mode & 0o100 ? PROGRAM : FILE);
  if (status.isDirectory()) for (const name of fs.readdirSync(file)) openToAll(path.join(file, name));
}

function putControl() {
  const bytes = execFileSync("du", ["--summarize", "--apparent-size", "--block-size=1024", root], { encoding: "utf8" });
  const control = fs
    .readFileSync("deploy/debian/control", "utf8")
    .replace("@VERSION@", version)
    .replace("@ARCHITECTURE@", architecture)
    .replace("@KIBIBYTES@", bytes.split("\t")[0]);
  for (const name of ["postinst", "prerm", "postrm"]) put(`deploy/debian/${name}`, `DEBIAN/${name}`, PROGRAM);
  fs.writeFileSync(path.join(root, "DEBIAN/control"), control);
  fs.writeFileSync(path.join(root, "DEBIAN/conffiles"), "/etc/default/namewell\n");
}

if (node === undefined) refuse(`'${architecture}' is neither ${Object.keys(ARCHITECTURES).join(" nor ")}`);
process.umask(0o022);
fs.rmSync(root, { recursive: true, force: true });
for (const name of ["server.js", "namewell.js", "operate.js", "namewell.wasm"]) {
  put(`dist/${name}`, `${LIB}/dist/${name}`, name === "namewell.js" ? PROGRAM : FILE);
}
put(`dist/client-${node}.so`, `${LIB}/client.so`, PROGRAM);
put(`dist/doctor-${node}`, `${LIB}/doctor`, PROGRAM);
// The server and `namewell install` look for them there.
link("../client.so", `${LIB}/dist/client-${node}.so`);
link("../doctor", `${LIB}/dist/doctor-${node}`);
link("../lib/namewell/dist/namewell.js", "usr/bin/namewell");
put("package.json", `${LIB}/package.json`);
putPackages();
put("deploy/systemd/namewell.service", "usr/lib/systemd/system/namewell.service");
put("deploy/systemd/namewell.sysusers.conf", "usr/lib/sysusers.d/namewell.conf");
put("deploy/systemd/preload.conf", `${DOC}/examples/preload.conf`);
put("deploy/debian/default", "etc/default/namewell");
put("LICENSE", `${DOC}/copyright`);
put("CHANGELOG.md", `${DOC}/changelog`);
for (const page of fs.globSync("docs/*.md")) put(page, `${DOC}/${path.basename(page)}`);
putControl();
const deb = `build/namewell_${version}_${architecture}.deb`;
execFileSync("dpkg-deb", ["--root-owner-group", "--build", root, deb], { stdio: ["ignore", "ignore", "inherit"] });
fs.rmSync(root, { recursive: true });
console.log(deb);
