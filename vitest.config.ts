/** Tests run in worker threads, two at a time; the command line is built once before the first of them. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    pool: "threads",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: process.env["CI_REPORT"] === undefined ? ["default"] : ["default", ["json", { outputFile: process.env["CI_REPORT"] }]],
    coverage: { include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
  },
});
