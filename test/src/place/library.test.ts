import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LibraryError, readDoctor, readLibrary } from "../../../src/place/library.ts";

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "namewell-test-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Puts a library there whose header is that of an architecture, but for a change. */
function put(
  architecture: string,
  machine: number,
  change: (bytes: Buffer) => Buffer | undefined = () => undefined,
): Buffer {
  let bytes: Buffer = Buffer.alloc(100);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes = change(bytes) ?? bytes;
  fs.writeFileSync(path.join(folder, `client-${architecture}.so`), bytes);
  return bytes;
}

it.each([
  ["x64", 62],
  ["arm64", 183],
])("gives the library for %s", (architecture, machine) => {
  const bytes = put(architecture, machine);
  expect(readLibrary(folder, architecture).equals(bytes)).toBe(true);
});

it("says which architectures there are when it is asked for another", () => {
  put("ppc64", 21);
  expect(() => readLibrary(folder, "ppc64")).toThrow(LibraryError);
  expect(() => readLibrary(folder, "ppc64")).toThrow("There is no client.so for ppc64, only for x64 and arm64");
});

it("says that a build has none for the architecture", () => {
  put("x64", 62);
  expect(() => readLibrary(folder, "arm64")).toThrow(LibraryError);
  expect(() => readLibrary(folder, "arm64")).toThrow(
    /^This build has no client\.so for arm64: ENOENT.*client-arm64\.so/,
  );
});

it.each<[string, number, (bytes: Buffer) => Buffer | undefined]>([
  ["another architecture", 183, () => undefined],
  ["32 bits", 62, (bytes) => void bytes.writeUInt8(1, 4)],
  ["the other byte order", 62, (bytes) => void bytes.writeUInt8(2, 5)],
  ["a program or an object", 62, (bytes) => void bytes.writeUInt16LE(1, 16)],
  ["something else", 62, () => Buffer.from("#!/bin/sh\n".padEnd(100))],
  ["a header cut short", 62, (bytes) => bytes.subarray(0, 63)],
  ["nothing", 62, (bytes) => bytes.subarray(0, 0)],
])("refuses %s", (_what, machine, change) => {
  put("x64", machine, change);
  expect(() => readLibrary(folder, "x64")).toThrow(LibraryError);
  expect(() => readLibrary(folder, "x64")).toThrow(`'${path.join(folder, "client-x64.so")}' is not a library for x64`);
});

it("gives the doctor for an architecture, or none where the build has none that can be run there", () => {
  expect(readDoctor(folder, "x64")).toBe(undefined);
  const bytes = put("x64", 62, (program) => void program.writeUInt16LE(2, 16));
  fs.renameSync(path.join(folder, "client-x64.so"), path.join(folder, "doctor-x64"));
  expect(readDoctor(folder, "x64")?.equals(bytes)).toBe(true);
  fs.writeFileSync(path.join(folder, "doctor-arm64"), bytes);
  expect(readDoctor(folder, "arm64")).toBe(undefined);
});
