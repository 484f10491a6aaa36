/**
 * What every fenced `Host` must do, wherever it is. `directory` is a private folder on the host that the test can reach
 * as its own files; `home` is the host user's.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Host, HostWrite } from "../../../src/core/ports/host.ts";
import { failure, OTHER_STORE_ID, orderOf, soon } from "../../support/ssh-kit.ts";

export interface HostPlace {
  readonly host: Host;
  readonly directory: string;
  readonly home: string;
  stop(): Promise<void>;
}

export interface HostConformance {
  readonly name: string;
  /** This machine lacks the server that it takes. */
  readonly lacking?: boolean;
  start(): Promise<HostPlace>;
}

const CANARY = "canary-5e1f0c2ab94d7786";

export function hostConformance(conformance: HostConformance): void {
  describe.skipIf(conformance.lacking === true)(`${conformance.name} as a host`, () => {
    let place: HostPlace;
    let host: Host;
    let count = 0;

    beforeAll(async () => {
      place = await conformance.start();
      host = place.host;
    });
    afterAll(async () => {
      await host.close();
      await place.stop();
    });

    function newPath(content?: string, mode = 0o600): string {
      count += 1;
      const path = join(place.directory, `file-${count}`);
      if (content !== undefined) {
        writeFileSync(path, content);
        chmodSync(path, mode);
      }
      return path;
    }

    function writing(content: string, before: string | null, generation = 1): HostWrite {
      const expectedDigest = before === null ? "absent" : createHash("sha256").update(before).digest("hex");
      return {
        content: Buffer.from(content),
        expectedDigest,
        order: orderOf(generation),
        mode: 0o600,
        keepCopy: true,
      };
    }

    it("answers that a file is absent, and one that stands there with every byte", async () => {
      expect(await host.read(newPath(), soon())).toEqual({ state: "absent", order: null });
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      const path = newPath();
      writeFileSync(path, bytes, { mode: 0o600 });
      const file = await host.read(path, soon());
      expect(file).toMatchObject({ state: "present", mode: 0o600, order: null });
      expect(file.state === "present" && Buffer.from(file.content).equals(bytes)).toBe(true);
    });

    it("makes a file with its mode, keeps the mode of one that it replaces, and leaves nothing beside", async () => {
      const made = newPath();
      await host.write(made, { ...writing("A=1\n", null), mode: 0o640 }, soon());
      expect(statSync(made).mode & 0o777).toBe(0o640);
      const kept = newPath("A=1\n", 0o640);
      await host.write(kept, writing("A=2\n", "A=1\n"), soon());
      expect(readFileSync(kept, "utf8")).toBe("A=2\n");
      expect(statSync(kept).mode & 0o777).toBe(0o640);
      expect(readdirSync(place.directory).filter((name) => name.startsWith("."))).toEqual([]);
    });

    it("writes only over what was read", async () => {
      const path = newPath("A=by hand\n");
      for (const write of [writing("A=2\n", "A=1\n"), writing("A=2\n", null)]) {
        await expect(host.write(path, write, soon())).rejects.toMatchObject({ code: "WRITE_CONFLICT" });
      }
      expect(readFileSync(path, "utf8")).toBe("A=by hand\n");
      expect(await host.read(path, soon())).toMatchObject({ order: null });
    });

    it("lets an equal order repeat, and refuses a lower one, another store's, and the same with another digest (ruling 29)", async () => {
      const path = newPath();
      await host.write(path, writing("A=1\n", null, 5), soon());
      await host.write(path, writing("A=2\n", "A=1\n", 5), soon());
      const disputed = { ...orderOf(5), digest: "b".repeat(64) };
      for (const order of [orderOf(4), orderOf(9, 0), orderOf(9, 9, OTHER_STORE_ID), disputed]) {
        const write = { ...writing("A=3\n", "A=2\n"), order };
        await expect(host.write(path, write, soon())).rejects.toMatchObject({ code: "ORDER_REFUSED" });
      }
      expect(await host.read(path, soon())).toMatchObject({ order: orderOf(5) });
      expect(readFileSync(path, "utf8")).toBe("A=2\n");
    });

    it("lets what an earlier release marked without a digest be written again at its own order, once", async () => {
      const path = newPath();
      await host.write(path, { ...writing("A=1\n", null), order: { ...orderOf(5), digest: null } }, soon());
      expect(await host.read(path, soon())).toMatchObject({ order: { ...orderOf(5), digest: null } });
      await host.write(path, writing("A=2\n", "A=1\n", 5), soon());
      const other = { ...orderOf(5), digest: "b".repeat(64) };
      const late = host.write(path, { ...writing("A=3\n", "A=2\n"), order: other }, soon());
      await expect(late).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    });

    it("keeps one order of a file, whatever links lead to it (law 3)", async () => {
      const path = newPath("A=1\n");
      const link = join(place.directory, "another-way");
      symlinkSync(place.directory, link);
      const named = join(link, basename(path));
      await host.write(path, writing("A=2\n", "A=1\n", 5), soon());
      expect(await host.read(named, soon())).toMatchObject({ order: orderOf(5) });
      await expect(host.write(named, writing("A=3\n", "A=2\n", 4), soon())).rejects.toMatchObject({
        code: "ORDER_REFUSED",
      });
      await host.write(named, writing("A=3\n", "A=2\n", 6), soon());
      expect(await host.read(path, soon())).toMatchObject({ order: orderOf(6) });
    });

    it("goes on from the order that an earlier release kept by the name of a link", async () => {
      const path = newPath("A=1\n");
      const link = join(place.directory, "old-way");
      symlinkSync(place.directory, link);
      const named = join(link, basename(path));
      await host.write(named, writing("A=2\n", "A=1\n", 5), soon());
      const state = join(place.home, ".lockstep");
      const key = (of: string) => join(state, `${createHash("sha256").update(of).digest("hex")}.order`);
      renameSync(key(path), key(named));
      expect(await host.read(named, soon())).toMatchObject({ order: orderOf(5) });
      await expect(host.write(named, writing("A=3\n", "A=2\n", 4), soon())).rejects.toMatchObject({
        code: "ORDER_REFUSED",
      });
      await host.write(named, writing("A=3\n", "A=2\n", 6), soon());
      expect([existsSync(key(path)), existsSync(key(named))]).toEqual([true, false]);
    });

    it("lets exactly one of two writers win", async () => {
      const path = newPath("A=0\n");
      const outcomes = await Promise.allSettled(
        ["A=1\n", "A=2\n"].map((content) => host.write(path, writing(content, "A=0\n"), soon())),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
      expect(readFileSync(path, "utf8")).toBe(`A=${winner + 1}\n`);
    });

    it("goes on after a crash between the marker and the rename: the same or a newer order, no older one", async () => {
      const path = newPath("A=1\n");
      await host.write(path, writing("A=1b\n", "A=1\n", 3), soon());
      // What a crash leaves: the marker is raised, the content is the old one, and a temporary file stands beside.
      const state = join(place.home, ".lockstep", createHash("sha256").update(path).digest("hex"));
      writeFileSync(`${state}.order`, readFileSync(`${state}.order`, "utf8").replace(".3.", ".7."));
      writeFileSync(`${state}.temp`, ".lockstep-leftover01\n");
      writeFileSync(join(place.directory, ".lockstep-leftover01"), "half");
      await expect(host.write(path, writing("A=2\n", "A=1b\n", 6), soon())).rejects.toMatchObject({
        code: "ORDER_REFUSED",
      });
      await host.write(path, writing("A=2\n", "A=1b\n", 7), soon());
      expect(readFileSync(path, "utf8")).toBe("A=2\n");
      expect(readdirSync(place.directory).filter((name) => name.startsWith("."))).toEqual([]);
    });

    it("restores the copy once, under a new order, and keeps it private", async () => {
      const path = newPath("A=good\n", 0o640);
      await host.write(path, writing("A=bad\n", "A=good\n", 2), soon());
      const state = join(place.home, ".lockstep");
      const copy = join(state, `${createHash("sha256").update(path).digest("hex")}.keep`);
      expect([statSync(state).mode & 0o777, statSync(copy).mode & 0o777]).toEqual([0o700, 0o600]);
      expect(await host.hasRestoreCopy(path, soon())).toBe(true);
      await expect(host.restore(path, orderOf(1), soon())).rejects.toMatchObject({ code: "ORDER_REFUSED" });
      await host.restore(path, orderOf(3), soon());
      expect(readFileSync(path, "utf8")).toBe("A=good\n");
      expect(await host.hasRestoreCopy(path, soon())).toBe(false);
      await expect(host.restore(path, orderOf(4), soon())).rejects.toMatchObject({ code: "NOT_FOUND" });
      await host.discardRestoreCopy(path, soon());
    });

    it("ruling 33: keeps no copy unless asked, and one of an earlier write no longer than that", async () => {
      const path = newPath(`A=${CANARY}\n`);
      await host.write(path, { ...writing("A=2\n", `A=${CANARY}\n`, 1), keepCopy: false }, soon());
      expect(await host.hasRestoreCopy(path, soon())).toBe(false);
      await host.write(path, writing(`A=${CANARY}\n`, "A=2\n", 2), soon());
      await host.write(path, writing("A=4\n", `A=${CANARY}\n`, 3), soon());
      expect(await host.hasRestoreCopy(path, soon())).toBe(true);
      const { keepCopy, ...plain } = writing("A=5\n", "A=4\n", 4);
      expect(keepCopy).toBe(true);
      await host.write(path, plain, soon());
      expect(await host.hasRestoreCopy(path, soon())).toBe(false);
      expect(holding(CANARY)).toEqual([]);
    });

    it("ruling 33: with the copy goes what crashes left, and with any copy those that were forgotten for a day", async () => {
      const state = join(place.home, ".lockstep");
      const path = newPath("A=1\n");
      await host.write(path, writing("A=2\n", "A=1\n"), soon());
      const file = join(state, createHash("sha256").update(path).digest("hex"));
      // Killed between the temporary file and its rename, and in the middle of the copy.
      writeFileSync(join(place.directory, ".lockstep-0a1b2c"), CANARY, { mode: 0o600 });
      writeFileSync(`${file}.temp`, ".lockstep-0a1b2c\n", { mode: 0o600 });
      writeFileSync(`${file}.keep.new`, CANARY, { mode: 0o600 });
      const forgotten = join(state, `${"f".repeat(64)}.keep`);
      const recent = join(state, `${"e".repeat(64)}.keep`);
      for (const copy of [forgotten, recent]) writeFileSync(copy, CANARY, { mode: 0o600 });
      const [old, today] = [25, 23].map((hours) => new Date(Date.now() - hours * 3_600_000));
      utimesSync(forgotten, old ?? 0, old ?? 0);
      utimesSync(recent, today ?? 0, today ?? 0);
      await host.discardRestoreCopy(path, soon());
      expect(await host.hasRestoreCopy(path, soon())).toBe(false);
      expect(readFileSync(path, "utf8")).toBe("A=2\n");
      expect(holding(CANARY)).toEqual([recent]);
      rmSync(recent);
    });

    /** Files of the host that hold this text: in its directory, and where state lies. */
    function holding(text: string): readonly string[] {
      return [place.directory, join(place.home, ".lockstep")].flatMap((directory) =>
        readdirSync(directory, { withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name }) => join(directory, name))
          .filter((path) => readFileSync(path, "utf8").includes(text)),
      );
    }

    it("refuses a link, a file that others may read and a directory that others may write", async () => {
      const link = newPath();
      symlinkSync(newPath("A=1\n"), link);
      for (const path of [link, newPath("A=1\n", 0o644), "/tmp/lockstep-conformance-env"]) {
        await expect(host.write(path, writing("A=2\n", null), soon())).rejects.toMatchObject({
          code: "FILE_UNSAFE",
        });
      }
    });

    describe("a file with further names (hard links)", () => {
      function shared(content: string): { readonly path: string; readonly other: string } {
        const path = newPath(content, 0o640);
        const other = `${path}-other`;
        linkSync(path, other);
        return { path, other };
      }
      const stateOf = (path: string) =>
        join(place.home, ".lockstep", createHash("sha256").update(path).digest("hex"));

      it("is told by a look, and refused before anything of the new value is there", async () => {
        const { path, other } = shared("A=1\n");
        expect(await host.read(path, soon())).toMatchObject({ state: "present", shared: "links" });
        expect(await failure(host.write(path, writing(`A=${CANARY}\n`, "A=1\n"), soon()))).toMatchObject({
          code: "FILE_SHARED",
          message: expect.stringContaining("has further names (hard links)"),
          hint: expect.stringContaining("`write: in-place`"),
        });
        for (const name of [path, other]) expect(readFileSync(name, "utf8")).toBe("A=1\n");
        expect(holding(CANARY)).toEqual([]);
        expect((await host.read(path, soon())).order).toBeNull();
      });

      it("is replaced where the others shall keep the old content", async () => {
        const { path, other } = shared("A=1\n");
        await host.write(path, { ...writing("A=2\n", "A=1\n"), how: "replace" }, soon());
        expect([path, other].map((name) => readFileSync(name, "utf8"))).toEqual(["A=2\n", "A=1\n"]);
        expect(await host.read(path, soon())).not.toHaveProperty("shared");
      });

      it("is written in place, longer and shorter, and put back: all names show it, and no rest stays", async () => {
        const { path, other } = shared("A=1\n");
        const { ino, mode } = statSync(path);
        const long = `A=${"x".repeat(100_000)}\n`;
        const steps = [long, "A=3\n", ""];
        for (const [index, content] of steps.entries()) {
          const before = steps[index - 1] ?? "A=1\n";
          await host.write(path, { ...writing(content, before, index + 1), how: "in-place" }, soon());
          expect(readFileSync(other, "utf8")).toBe(content);
        }
        await expect(
          host.write(path, { ...writing("A=4\n", "A=3\n", 3), how: "in-place" }, soon()),
        ).rejects.toMatchObject({ code: "WRITE_CONFLICT" });
        await expect(
          host.write(path, { ...writing("A=4\n", "", 2), how: "in-place" }, soon()),
        ).rejects.toMatchObject({ code: "ORDER_REFUSED" });
        await host.restore(path, orderOf(9), soon());
        expect(readFileSync(other, "utf8")).toBe("A=3\n");
        expect(statSync(path)).toMatchObject({ ino, mode, nlink: 2 });
        expect(await host.hasRestoreCopy(path, soon())).toBe(false);
        expect(holding("xxx")).toEqual([]);
        expect(existsSync(`${stateOf(path)}.was`)).toBe(false);
      });

      it("whose writing in place was cut off is left as it is until somebody has looked", async () => {
        const { path } = shared("A=1\n");
        await host.write(path, { ...writing("A=22\n", "A=1\n"), how: "in-place" }, soon());
        const was = `${stateOf(path)}.was`;
        writeFileSync(was, "A=22\nB=theirs\n", { mode: 0o600 });
        for (const how of ["in-place", "replace"] as const)
          expect(
            await failure(host.write(path, { ...writing("A=3\n", "A=22\n", 2), how }, soon())),
          ).toMatchObject({
            code: "TARGET_REFUSED",
            message: expect.stringMatching(/cut off in the middle, .* is kept in \S+\.was/),
          });
        expect(readFileSync(path, "utf8")).toBe("A=22\n");
        // Killed before the first byte: nothing is lost, and it goes on by itself.
        writeFileSync(was, "A=22\n", { mode: 0o600 });
        await host.write(path, { ...writing("A=3\n", "A=22\n", 2), how: "in-place" }, soon());
        expect([readFileSync(path, "utf8"), existsSync(was)]).toEqual(["A=3\n", false]);
      });
    });

    it("finds a path below home under one marker, however it is written", async () => {
      const path = newPath();
      const short = path.replace(place.home, "~");
      await host.write(short, writing("A=1\n", null, 5), soon());
      expect(await host.read(short, soon())).toEqual(await host.read(path, soon()));
    });

    it("runs a program with its exact words and its input, and answers how it ended", async () => {
      const words = ["it's", "$HOME", "a b", "*", "\\"];
      const said = await host.run(["/usr/bin/printf", "%s|", ...words], { timeoutMs: 10_000 }, soon());
      expect(said).toMatchObject({ exitCode: 0, stdout: words.map((word) => `${word}|`).join("") });
      const echoed = await host.run(["cat"], { stdin: Buffer.from("in\n"), timeoutMs: 10_000 }, soon());
      expect(echoed.stdout).toBe("in\n");
      const ended = await host.run(["sh", "-c", "echo no >&2; exit 7"], { timeoutMs: 10_000 }, soon());
      expect(ended).toMatchObject({ exitCode: 7, stderr: "no\n" });
    });

    it("stops a program that does not end in time, and says that its outcome is unknown", async () => {
      const error = await failure(host.run(["sleep", "600"], { timeoutMs: 200 }, soon()));
      expect(error).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    });

    it("tells no value in an error", async () => {
      const path = newPath(`A=${CANARY}\n`);
      const link = newPath();
      symlinkSync(path, link);
      for (const refused of [
        failure(host.write(path, writing(`A=${CANARY}\n`, "A=1\n"), soon())),
        failure(host.write(link, writing(`A=${CANARY}\n`, null), soon())),
        failure(host.run(["sleep", "600"], { stdin: Buffer.from(CANARY), timeoutMs: 50 }, soon())),
      ]) {
        const error = await refused;
        expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(CANARY);
      }
    });
  });
}
