// The manifests of deploy/kubernetes: as they stand in their files, and as `kubectl kustomize` makes them.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments, stringify } from "yaml";
import { toolMissing } from "./programs.ts";

export const KUBERNETES = fileURLToPath(new URL("../../deploy/kubernetes", import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: the tests look deep into objects whose shape the schemas tell
export type Manifest = any;

export const kubectlMissing = toolMissing("kubectl", "kubernetes-client");

export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS();
  });
}

export function manifestsOf(file: string): Manifest[] {
  return manifestsIn(fs.readFileSync(path.join(KUBERNETES, file), "utf8"));
}

/** What `kubectl apply -k` would apply of a folder; of another that is laid beside the manifests, with `own`. */
export function kustomized(folder: string, own: Readonly<Record<string, string>> = {}): Manifest[] {
  const copy = fs.mkdtempSync(path.join(tmpdir(), "namewell-kustomize-"));
  try {
    fs.cpSync(KUBERNETES, copy, { recursive: true });
    for (const [file, text] of Object.entries(own)) {
      fs.mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
      fs.writeFileSync(path.join(copy, file), text);
    }
    if (isOld()) for (const file of kustomizationsIn(copy)) foldersAsBases(file);
    const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", path.join(copy, folder)], {
      encoding: "utf8",
    });
    if (status !== 0 || stderr !== "") throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
    return manifestsIn(stdout);
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
}

/** Debian 12's kubectl, 1.20, holds kustomize 2.0.3, to which folders are no resources but bases. */
function isOld(): boolean {
  const { stdout } = spawnSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8" });
  return Number.parseInt(JSON.parse(stdout).clientVersion.minor, 10) < 21;
}

function kustomizationsIn(folder: string): string[] {
  const files = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => path.basename(file) === "kustomization.yaml").map((file) => path.join(folder, file));
}

function foldersAsBases(file: string): void {
  const { resources = [], ...rest }: { resources?: string[] } = parse(fs.readFileSync(file, "utf8"));
  const isFile = (name: string) => name.endsWith(".yaml");
  const bases = resources.filter((name) => !isFile(name));
  fs.writeFileSync(file, stringify({ ...rest, bases, resources: resources.filter(isFile) }));
}
