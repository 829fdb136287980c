import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/fuzz/**/*.test.ts", "test/whole/outages.test.ts", "test/whole/endure.test.ts"],
    env: { NAMEWELL_FUZZ: "full" },
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
});
