/** One outage: how it comes about, what doctor must say of it, and that what is printed repairs it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { FindingView } from "../../src/protocol/api-doctor.ts";
import { useDatabase } from "../support/database.ts";
import { lacks } from "../support/servers.ts";
import { FIRST, SECOND, startWorld, type World, type WorldOptions, wrong } from "./world.ts";

export interface Outage {
  readonly name: string;
  readonly breaks: (world: World) => unknown;
  readonly finding: Partial<Pick<FindingView, "id" | "target" | "severity" | "secret">>;
  /** Of what, cause and remedy: a tired person reads them. */
  readonly says: RegExp;
  readonly refuses?: RegExp;
  /** Null: nothing that a command could do, and `fixes` does what is said. */
  readonly command: RegExp | null;
  /** What a person does before the command, where it needs that. */
  readonly fixes?: (world: World) => unknown;
  /** What is left to be tidied up once the command ran. */
  readonly tidies?: (world: World) => unknown;
  /** Where it is one of several findings of the same fault. */
  readonly also?: readonly string[];
}

/** All in one production, which each of them leaves as it found it. */
/** `more`: what else is to be seen in it, afterwards. */
export function playOutages(
  outages: readonly Outage[],
  more: (world: () => World) => void = () => undefined,
  options: WorldOptions = {},
): void {
  const isLacking = lacks("sshd") || (options.ownMounts === true && lacks("mount-namespace"));
  describe.skipIf(isLacking)("an outage", () => {
    play(outages, more, options);
  });
}

function play(outages: readonly Outage[], more: (world: () => World) => void, options: WorldOptions): void {
  const database = useDatabase();
  let world: World;
  let isSpoilt = false;

  beforeAll(async () => {
    world = await startWorld(database(), options);
  }, 90_000);
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    isSpoilt = true;
  });
  afterAll(() => world.stop());

  it.each(outages.map((outage) => [outage.name, outage] as const))(
    "%s",
    async (_name, outage) => {
      if (isSpoilt) {
        await world.stop();
        world = await startWorld(database(), options);
        isSpoilt = false;
      }
      await outage.breaks(world);
      const { exitCode, answer } = await world.doctor();
      const [first, ...more] = outage.finding.severity === "hint" ? answer.findings : wrong(answer);
      expect(first).toMatchObject(outage.finding);
      expect(more.map(({ id }) => id)).toEqual(outage.also ?? []);
      const { what = "", cause = "", consequence = [], command = null } = first ?? {};
      expect(`${what}\n${cause}`).toMatch(outage.says);
      if (outage.refuses !== undefined) expect(consequence.join("\n")).toMatch(outage.refuses);
      const severities = { wrong: 3, "cannot-tell": 4, moving: 0, hint: 0 };
      expect(exitCode).toBe(severities[outage.finding.severity ?? "wrong"]);
      await outage.fixes?.(world);
      if (outage.command === null) expect(command).toBeNull();
      else {
        expect(command).toMatch(outage.command);
        await world.paste(command);
      }
      await outage.tidies?.(world);
      await world.rest();
      const after = await world.doctor();
      expect(after.answer.findings).toEqual([]);
      expect(after.exitCode).toBe(0);
      for (const value of [FIRST, SECOND]) expect(world.said.join("")).not.toContain(value);
    },
    120_000,
  );
  more(() => world);
}
