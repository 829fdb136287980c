// client.so and the doctor as this build has them: one for each architecture, called as Node calls them. Containers share their
// node's architecture, so the one of this process is theirs too. musl looks at no header and ends the program that is
// given another machine's library, so the header is looked at here.
import fs from "node:fs";
import path from "node:path";

export class LibraryError extends Error {}

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }; // EM_X86_64, EM_AARCH64
const MACHINE_AT = 18;
/** The magic; 64 bits, little-endian, version 1. */
const IDENTITY = Buffer.from("\x7fELF\x02\x01\x01", "latin1");
const TYPE_AT = 16;
const [PROGRAM, SHARED_OBJECT] = [2, 3];
const SIZE_MIN = 64; // an ELF header

/** The bytes of the library in a folder for an architecture. */
export function readLibrary(folder: string, architecture: string): Buffer {
  const machine = MACHINES[architecture];
  if (machine === undefined) {
    throw new LibraryError(
      `There is no client.so for ${architecture}, only for ${Object.keys(MACHINES).join(" and ")}`,
    );
  }
  const file = path.join(folder, `client-${architecture}.so`);
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    throw new LibraryError(`This build has no client.so for ${architecture}: ${(error as Error).message}`);
  }
  if (!isFor(machine, SHARED_OBJECT, bytes)) throw new LibraryError(`'${file}' is not a library for ${architecture}`);
  return bytes;
}

/** The doctor's; undefined where the build has none, which is no reason for a server not to start. */
export function readDoctor(folder: string, architecture: string): Buffer | undefined {
  try {
    const bytes = fs.readFileSync(path.join(folder, `doctor-${architecture}`));
    return isFor(MACHINES[architecture], PROGRAM, bytes) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function isFor(machine: number | undefined, type: number, bytes: Buffer): boolean {
  const isSound = bytes.length >= SIZE_MIN && bytes.indexOf(IDENTITY) === 0 && bytes.readUInt16LE(TYPE_AT) === type;
  return isSound && bytes.readUInt16LE(MACHINE_AT) === machine;
}
