import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Queue } from "../../src/core/ports/queue.ts";
import { childProgram } from "../support/child-program.ts";
import { job, QUEUE_BACKENDS, type QueueBackend, recordRuns, untilAccepted } from "../support/queue-kit.ts";

/** What a caller waits at most, with room for a busy machine. */
const REFUSED_WITHIN_MS = 3_500;
const WORKER = join(import.meta.dirname, "../support/queue-worker.ts");

describe.each(QUEUE_BACKENDS)("the queue on $name, hurt", ({ start, missing }) => {
  describe.skipIf(missing)("goes on", () => {
    let backend: QueueBackend;
    const opened: Queue[] = [];
    const children: ChildProcess[] = [];
    const open = (): Queue => {
      const queue = backend.open();
      opened.push(queue);
      return queue;
    };
    const refusedSoon = async (queue: Queue, id: string): Promise<void> => {
      const asked = performance.now();
      await expect(queue.enqueue([job(id)])).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
      expect(performance.now() - asked).toBeLessThan(REFUSED_WITHIN_MS);
    };
    /** Answers the worker's lines as they come. */
    const startChild = async () => {
      const child = spawn(process.execPath, [await childProgram(WORKER), backend.workerArgument], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(child);
      const lines = createInterface({ input: child.stdout });
      return {
        said: async (wanted: string): Promise<void> => {
          for await (const line of lines) if (line === wanted) return;
          throw new Error(`the worker ended before it said "${wanted}"`);
        },
        kill: async (): Promise<void> => {
          child.kill("SIGKILL");
          await once(child, "exit");
        },
      };
    };

    beforeEach(async () => {
      backend = await start();
    });
    afterEach(async () => {
      backend.line.speak();
      for (const child of children.splice(0)) child.kill("SIGKILL");
      await Promise.all(opened.splice(0).map((queue) => queue.close(300)));
      await backend.stop();
    });

    it("a worker killed in the middle of a job: the queue itself gives the job to another", async () => {
      const producer = open();
      const first = await startChild();
      await producer.enqueue([job("stuck-1")]);
      await first.said("took stuck-1");
      await first.kill();
      const seen = recordRuns();
      await open().start(seen.handler, { concurrency: 1 });
      await seen.saw("stuck-1");
      await producer.enqueue([job("after")]);
      await seen.saw("after");
      expect(seen.runs).toEqual(["stuck-1", "after"]);
    });

    it("silent: adding is refused soon, the process goes on, and what is added after its return runs", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("before")]);
      await seen.saw("before");
      backend.line.silence("to-server", "to-client");
      await refusedSoon(queue, "while-silent");
      await refusedSoon(queue, "while-silent-2");
      backend.line.speak();
      await untilAccepted(queue, job("after"));
      await seen.saw("after");
    });

    it("a cut line: worker and producer come back by themselves, every time", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 1 });
      for (const id of ["one", "two", "three"]) {
        await untilAccepted(queue, job(id));
        await seen.saw(id);
        backend.line.cut();
      }
    });

    it("away and back: adding is refused soon, then works, and the worker with it", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("before")]);
      await seen.saw("before");
      await backend.goAway();
      await refusedSoon(queue, "away");
      await backend.comeBack();
      await untilAccepted(queue, job("back"));
      await seen.saw("back");
    });

    it("away when the process starts: it starts all the same, and works as soon as the backend is there", async () => {
      await backend.goAway();
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 1 });
      await refusedSoon(queue, "too-early");
      await backend.comeBack();
      await untilAccepted(queue, job("back"));
      await seen.saw("back");
    });

    it("answering with errors alone: it neither blocks nor heats the process, and work goes on afterwards", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 2 });
      await queue.enqueue([job("before")]);
      await seen.saw("before");
      await backend.refuseWork();
      // Wakes the worker, which waits for work and would not notice for seconds.
      backend.line.cut();
      await refusedSoon(queue, "refused");
      const before = process.cpuUsage();
      const asked = performance.now();
      for (let tick = 0; tick < 20; tick += 1) await new Promise((resolve) => setTimeout(resolve, 100));
      const { user, system } = process.cpuUsage(before);
      const share = (user + system) / 1_000 / (performance.now() - asked);
      await backend.allowWork();
      expect(share).toBeLessThan(0.4);
      await untilAccepted(queue, job("after"));
      await seen.saw("after");
    });

    it("away when the process ends: closing does not hang", async () => {
      const queue = backend.open();
      await queue.start(recordRuns().handler, { concurrency: 1 });
      await queue.enqueue([job("x")]);
      await backend.goAway();
      const asked = performance.now();
      await queue.close(300);
      expect(performance.now() - asked).toBeLessThan(8_000);
      await backend.comeBack();
    });

    it("wiped while it runs: what is added afterwards runs, also what was waiting, running or delayed", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.enqueue([job("waiting")]);
      await queue.enqueue([job("delayed")], { delayMs: 3_600_000 });
      await backend.wipe();
      await queue.start(seen.handler, { concurrency: 2 });
      let release = (): void => {};
      seen.holdUntil(
        new Promise((resolve) => {
          release = resolve;
        }),
      );
      await queue.enqueue([job("running")]);
      await seen.saw("running");
      await backend.wipe();
      release();
      await seen.ended();
      // As the sweep does, again and again: the end of the wiped job may still take a first try along.
      const missing = (): readonly string[] =>
        ["waiting", "delayed", "running", "running"].filter(
          (id, index, all) =>
            seen.runs.filter((run) => run === id).length <
            all.slice(0, index + 1).filter((one) => one === id).length,
        );
      await vi.waitFor(
        async () => {
          for (const id of new Set(missing())) await queue.enqueue([job(id)]);
          expect(missing()).toEqual([]);
        },
        { timeout: 20_000, interval: 200 },
      );
    });

    it("stores ids alone: no word of what a handler threw, and nothing of what is done", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.enqueue([job("kept-3fa1")], { delayMs: 3_600_000 });
      await queue.start(
        async (one) => {
          await seen.handler(one);
          throw new Error("canary-77d0");
        },
        { concurrency: 1 },
      );
      await queue.enqueue([job("failed-9c44"), job("failed-9c45")]);
      await seen.reached(2);
      await queue.close();
      const stored = await backend.dump();
      expect(stored).toContain("kept-3fa1");
      expect(stored).not.toMatch(/canary-77d0|failed-9c44/);
    });
  });
});
