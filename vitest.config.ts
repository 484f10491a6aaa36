import { defineConfig } from "vitest/config";
import SlowFirst from "./test/support/slow-first.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // One more than the cores of a small machine: the suites start real servers, and mostly wait for them.
    maxWorkers: 3,
    // To load the program takes as long as to test most files; a worker loads it once. So a file leaves its process as it was.
    isolate: false,
    sequence: { sequencer: SlowFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ["test/support/database-setup.ts", "test/support/child-program-setup.ts"],
    restoreMocks: true,
    reporters: ["default", "./test/support/account-reporter.ts"],
  },
});
