import { describe, expect, it } from "vitest";
import { mountOf, mountsIn } from "../../../src/place/mounts.ts";

const TEXT = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / /run rw,nosuid,noexec - tmpfs tmpfs rw
23 22 0:30 / /run/name\\040well rw shared:5 master:1 - xfs /dev/vdb rw,noexec_of_another
24 22 254:0 /srv/cache//deleted /run/old rw - ext4 /dev/vda rw
25 23 0:31 / /run/name\\040well ro,noexec - tmpfs tmpfs ro
`;

describe("a mount", () => {
  const at = (file: string) => mountOf(file, mountsIn(TEXT));

  it("is the one whose point is the longest beginning of the path, and the last of those at one point", () => {
    expect(at("/dns_cache")).toMatchObject({ point: "/", fileSystem: "ext4", isNoexec: false });
    expect(at("/run/namewell")).toMatchObject({ point: "/run", fileSystem: "tmpfs", isNoexec: true });
    expect(at("/runner")).toMatchObject({ point: "/" });
    expect(at("/run/name well/x")).toEqual({
      device: "0:31",
      root: "/",
      point: "/run/name well",
      fileSystem: "tmpfs",
      isNoexec: true,
    });
  });

  it("has a name of any bytes", () => {
    const text = Buffer.from("21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 0:20 / /réseau rw,noexec - tmpfs tmpfs rw\n");
    expect(mountOf("/réseau/x", mountsIn(text.toString("latin1")))).toMatchObject({ isNoexec: true });
  });

  it("says that what it shows has been removed", () => {
    expect(at("/run/old")?.root).toBe("/srv/cache//deleted");
  });

  it("is unknown where nothing tells", () => {
    expect(mountOf("/", mountsIn("nonsense\n"))).toBe(undefined);
  });
});
