import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { end, type FaultKit, startFaultKit } from "../support/fault-kit.ts";
import { lacks } from "../support/servers.ts";

/** Between any two steps that belong together; the number counts which place's turn it is. */
const POINTS = [
  "leased:1",
  "leased:2",
  "observed:1",
  "intent:1",
  "intent:2",
  "written:1",
  "written:2",
  "read-back:1",
  "read-back:2",
  "recorded:1",
  "recorded:2",
  "activation-intent:1",
  "activation-intent:2",
  "activated:1",
  "activated:2",
] as const;

describe.skipIf(lacks("sshd"))("a worker killed with SIGKILL", () => {
  let kit: FaultKit;
  let count = 0;
  /** Who ended what the last one left; the next to be killed. */
  let heir: ChildProcess;

  beforeAll(async () => {
    kit = await startFaultKit();
    heir = await kit.startWorker();
    await kit.set("value-0");
    await kit.settled();
    await kit.rest(heir);
  });
  afterAll(() => kit.stop());
  beforeEach(() => kit.railway.log.clear({}));
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    await kit.killWorkers();
    heir = await kit.startWorker();
    await kit.settled();
    await kit.rest(heir);
  });

  it.each(POINTS)(
    "at %s: every place ends right, nothing is lost, each unit restarted at most once more than needed",
    async (point) => {
      count += 1;
      const value = `value-${count}`;
      const startsBefore = kit.hostStarts();
      const doomed = heir;
      await kit.workAgain(doomed, point);
      await kit.set(value);
      if (doomed.exitCode === null && doomed.signalCode === null) await once(doomed, "exit");
      expect(doomed.signalCode).toBe("SIGKILL");

      heir = await kit.startWorker();
      await kit.settled();
      await kit.rest(heir);
      expect(await kit.places()).toEqual({ railway: value, file: value, running: value });
      expect(await kit.rows("select 1 from push where outcome in ('started', 'unknown')")).toEqual([]);
      // A look into the processes, where one was due already, shows more.
      expect(await kit.rows("select 1 from binding where evidence in ('deployed', 'running')")).toHaveLength(
        2,
      );
      expect(kit.hostStarts() - startsBefore).toBeLessThanOrEqual(2);
      expect((await kit.railway.log.deploys()).length).toBeLessThanOrEqual(2);
    },
  );

  it("one that is asked to end ends in order", async () => {
    await kit.workAgain(heir, "");
    await end(heir, "SIGTERM");
    expect([heir.exitCode, heir.signalCode]).toEqual([0, null]);
  });
});
