/**
 * The account at the end of a run: what was skipped and why, then one plain line with the counts. With
 * LOCKSTEP_TEST_REQUIRE_ALL=1 a skipped test fails the run, because then nobody would notice that it never ran.
 */
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import { findServer, REAL_SERVERS } from "./servers.ts";

/** Suites against servers that nobody can start for a test: they run where one is named, and are required nowhere. */
const NEVER_REQUIRED: readonly string[] = ["test/conformance/vault/real-server.test.ts"];

export default class AccountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === "skipped");
    const passed = tests.filter((test) => test.result().state === "passed").length;
    const failed =
      tests.length - skipped.length - passed + modules.filter(failedToLoad).length + unhandledErrors.length;
    const lines = [...skippedLines(skipped), `${passed} passed, ${failed} failed, ${skipped.length} skipped`];
    process.stdout.write(`${lines.join("\n")}\n`);
    const missed = skipped.filter((test) => !NEVER_REQUIRED.includes(fileOf(test)));
    if (missed.length > 0 && process.env["LOCKSTEP_TEST_REQUIRE_ALL"] === "1") process.exitCode = 1;
  }
}

/** A file that could not even be read has no failed test that would count. */
function failedToLoad(module: TestModule): boolean {
  return module.errors().length > 0;
}

function fileOf(test: TestCase): string {
  return relative(process.cwd(), test.module.moduleId);
}

function skippedLines(skipped: readonly TestCase[]): readonly string[] {
  if (skipped.length === 0) return [];
  const counts = new Map<string, number>();
  for (const test of skipped) {
    const file = fileOf(test);
    const result = test.result();
    const note = result.state === "skipped" ? result.note : undefined;
    const line = note === undefined ? file : `${file}: ${note}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const missing = REAL_SERVERS.filter((server) => findServer(server) === null);
  const why = missing.length === 0 ? "no server is missing" : `this machine lacks ${missing.join(", ")}`;
  return [`Skipped (${why}):`, ...[...counts].map(([line, count]) => `  ${line} (${count})`)];
}
