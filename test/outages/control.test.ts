/** Where nothing is wrong, doctor says that nothing is wrong. */
import { expect, it } from "vitest";
import { playOutages } from "./outage.ts";
import { SECOND, textOf } from "./world.ts";

playOutages([], (world) => {
  it("that never came is called none, by every place, looked at now", async () => {
    expect(textOf(world().files.mini)).toContain(SECOND);
    const { exitCode, answer } = await world().doctor();
    expect(answer.findings).toEqual([]);
    expect(exitCode).toBe(0);
    expect(answer.verdict).toBe(
      "Nothing is wrong: 4 keys of 1 secret, each of 4 places was looked at just now.",
    );
    expect((await world().cli("check --quiet")).stdout).toBe("");
  });
});
