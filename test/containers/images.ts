// The server's image as it is built for each architecture, unpacked.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";
import { engineDirectory, removeEngine, startBuildEngine } from "./engine.ts";
import { loadStandIns, NODE_SLIM_ARM64, STAND_INS } from "./standIns.ts";

const ROOT = join(import.meta.dirname, "../..");

export interface BuiltImage {
  readonly root: string;
  /** What `docker image inspect` says of its platform and settings. */
  readonly architecture: string;
  readonly config: {
    readonly User: string;
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly Healthcheck: { readonly Test: readonly string[] };
    readonly Volumes: Readonly<Record<string, unknown>>;
  };
  /** The sum of its layers, uncompressed. */
  readonly bytes: number;
}

/** That of this machine, and that of arm64. */
export async function buildImages(into: string): Promise<BuiltImage[]> {
  const directory = await engineDirectory();
  const engine = await startBuildEngine(directory);
  try {
    const composeCommand = await loadStandIns(engine, join(directory, "standins"));
    const built: BuiltImage[] = [];
    for (const [name, files, images] of [
      ["namewell", [], {}],
      ["namewell-arm64", ["arm64.yaml"], { NODE_SLIM_IMAGE: NODE_SLIM_ARM64 }],
    ] as const) {
      const yaml = [
        join(ROOT, "compose.yaml"),
        ...["override.yaml", ...files].map((file) => join(import.meta.dirname, file)),
      ];
      const env = { ...engine.environment, ...STAND_INS, ...images };
      await command([...composeCommand, ...yaml.flatMap((file) => ["-f", file]), "build", "dns-cache"], {
        cwd: ROOT,
        env,
      });
      const [inspected] = JSON.parse(await engine.docker("image", "inspect", name));
      const root = join(into, name);
      mkdirSync(root);
      const container = (await engine.docker("create", name)).trim();
      await command(["sh", "-c", 'docker export "$1" | tar -xC "$2"', "sh", container, root], { env });
      built.push({ root, architecture: inspected.Architecture, config: inspected.Config, bytes: inspected.Size });
    }
    return built;
  } finally {
    await engine.stop();
    await removeEngine(directory);
  }
}
