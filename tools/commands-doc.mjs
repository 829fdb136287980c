// Prints docs/commands.md from src/cli/commands.ts. `node tools/commands-doc.mjs` prints it; `--write` puts it in its place
// when it differs.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = new URL("..", import.meta.url);
const entry = fileURLToPath(new URL("src/cli/commandsDoc.ts", root));
const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false });
const { commandsDoc } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
const text = commandsDoc();

const target = new URL("docs/commands.md", root);
const read = () => {
  try {
    return readFileSync(target, "utf8");
  } catch {
    return "";
  }
};
if (!process.argv.includes("--write")) process.stdout.write(text);
else if (read() !== text) writeFileSync(target, text);
