/**
 * Tests run in worker threads, two at a time. Those that start the real command line are a project of their own: it is
 * bundled once before the first of them.
 */
import { defineConfig } from "vitest/config";

// Only what hangs is ended by time: machines are noisy.
const shared = { pool: "threads", testTimeout: 60_000, hookTimeout: 60_000 } as const;
const report = process.env["CI_REPORT"];

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    coverage: { include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
    projects: [
      { test: { ...shared, name: "core", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**", "test/chaos/**"] } },
      {
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts", "test/chaos/**/*.test.ts"],
          globalSetup: ["test/support/build.ts"],
        },
      },
    ],
  },
});
