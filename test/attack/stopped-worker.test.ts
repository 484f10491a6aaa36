/**
 * A worker that is frozen for longer than its lease (a laptop's lid, a paused machine, a debugger) and goes on in the
 * middle of what it did, after another one has written a newer generation.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FaultKit, startFaultKit, until } from "../support/fault-kit.ts";
import { lacks } from "../support/servers.ts";

const LATE = `
  select count(*)::int as late from audit_entry where action = 'push.late'`;

/** Ended together: this process's lines to hosts are shared, and end with the first. */
const kits: FaultKit[] = [];
afterAll(async () => {
  for (const kit of kits) await kit.stop();
});

describe.skipIf(lacks("sshd") || process.platform !== "linux").each([
  {
    place: "a host with a shell and a Railway service",
    sftpOnly: false,
    points: [
      "leased:1",
      "intent:1",
      "host-bytes:old",
      "railway-bytes:old",
      "written:2",
      "read-back:2",
      "activation-intent:2",
      "activated:1",
    ],
    /** Railway cannot refuse. */
    late: ["railway-bytes:old"],
  },
  {
    place: "a host with SFTP alone",
    sftpOnly: true,
    points: ["sftp-rename:1"],
    late: ["sftp-rename:1"],
  },
])(
  "law 3, $place: a worker stopped in the middle and gone on after a newer write",
  ({ sftpOnly, points, late }) => {
    let kit: FaultKit;
    let count = 0;

    beforeAll(async () => {
      kit = await startFaultKit({ sftpOnly });
      kits.push(kit);
      await kit.set("value-0");
      await kit.takeOver();
    });
    beforeEach(() => kit.railway.log.clear({}));
    afterEach(() => kit.killWorkers());

    it.each(points)(
      "at %s: the newer value stands everywhere, and no evidence speaks of the older one",
      async (point) => {
        count += 1;
        const [older, newer] = [`old-${count}`, `new-${count}`];
        const frozen = await kit.startStopping(point.replace(/:old$/, `:${older}`));
        await kit.set(older);
        await frozen.stopped();

        await kit.outlast();
        await kit.set(newer);
        await kit.takeOver();
        const running = sftpOnly ? null : newer;
        expect(await kit.places()).toEqual({ railway: newer, file: newer, running });
        const pushesBefore = await kit.rows("select id, outcome from push order by id");
        const [{ late: lateBefore = 0 } = {}] = await kit.rows<{ late: number }>(LATE);

        await frozen.goOn();
        if (late.includes(point))
          await until(
            async () => (await kit.rows<{ late: number }>(LATE))[0]?.late !== lateBefore,
            () => kit.stderr(),
          );
        await kit.landed();
        await kit.settled();
        expect(await kit.places()).toEqual({ railway: newer, file: newer, running });
        expect(await kit.rows("select 1 from push where outcome in ('started', 'unknown')")).toEqual([]);
        // What was closed by the worker that took over is not told anew by the one that was late.
        expect(await kit.rows("select id, outcome from push order by id")).toEqual(
          expect.arrayContaining([...pushesBefore]),
        );
      },
    );
  },
);
