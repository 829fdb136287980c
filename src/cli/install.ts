// `namewell install`: client.so and the doctor, where no server puts them.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { installFile, makeDirectory } from "../place/install.ts";
import { LibraryError, readDoctor, readLibrary } from "../place/library.ts";
import { mountOf } from "../place/mounts.ts";
import { CliError } from "./failures.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url)); // beside this bundle

/** What was done, a line each; `remarks` are for standard error. */
export function install(folder: string): { readonly lines: string[]; readonly remarks: string[] } {
  try {
    const client = readLibrary(HERE, process.arch);
    const doctor = readDoctor(HERE, process.arch);
    makeDirectory(folder);
    const lines = [["client.so", client] as const, ["doctor", doctor] as const].flatMap(([name, bytes]) => {
      if (bytes === undefined) return [];
      const file = path.join(folder, name);
      return [installFile(file, bytes) ? `Installed ${file}` : `${file} is the same already`];
    });
    const isNoexec = mountOf(fs.realpathSync(folder))?.isNoexec === true;
    const remarks = isNoexec ? [`${folder} is mounted noexec: no program can load client.so from there`] : [];
    return { lines, remarks };
  } catch (error) {
    if (error instanceof LibraryError) throw new CliError(error.message);
    throw new CliError(`'${folder}' cannot be used: ${(error as Error).message}`);
  }
}
