/**
 * The order of test files: those that mostly wait, for killed servers and whole stories, begin first, so that none of them is
 * still under way when everything else is done. Vitest itself knows how long a file took only where it ran before.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const SLOW = [
  "test/e2e/",
  "test/upgrade/",
  "test/fault/",
  "test/store/embedded/",
  "test/queue/",
  "test/agent/crash/",
  "test/outages/",
];

export default class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}

function isSlow({ moduleId }: TestSpecification): boolean {
  return SLOW.some((directory) => moduleId.includes(`/${directory}`));
}
