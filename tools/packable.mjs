// Whether a package can be made of this checkout: npm itself leaves out without a word what `files` names and is not there.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { existsSync, globSync, readFileSync } from "./fs.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const { version, files } = JSON.parse(readFileSync("package.json", "utf8"));
const missing = [...files, "LICENSE", "README.md"].filter((file) =>
  file.includes("*") ? !existsSync(dirname(file)) || globSync(file).length === 0 : !existsSync(file),
);
const reasons = missing.map((file) => `${file} is missing`);
if (!readFileSync("CHANGELOG.md", "utf8").includes(`\n## ${version}\n`)) {
  reasons.push(`CHANGELOG.md says nothing of ${version}`);
}
for (const reason of reasons) console.error(`Nothing is packed: ${reason}`);
process.exit(reasons.length === 0 ? 0 : 1);
