import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/containers/**"],
    maxWorkers: Math.max(2, availableParallelism() - 1), // they wait more than they work, even on two cores
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
