/** Where nothing is wrong, doctor says that nothing is wrong. */
import { expect, it } from "vitest";
import { playOutages } from "./outage.ts";
import { SECOND, SECRET, textOf } from "./world.ts";

playOutages([], (world) => {
  it("that never came is called none, by every place, looked at now", async () => {
    expect(textOf(world().files.mini)).toContain(SECOND);
    const { exitCode, answer } = await world().doctor();
    expect(answer.findings).toEqual([]);
    expect(exitCode).toBe(0);
    expect(answer.verdict).toBe(
      "Nothing is wrong: 4 keys of 1 secret, each of 4 places was checked just now.",
    );
    expect((await world().cli("check --quiet")).stdout).toBe("");
  });

  it("a value that was changed by hand and is the right one is taken over, by a person's word", async () => {
    world().railway.railway.state.setVariables({
      service: world().worker,
      variables: { [SECRET]: "the-new-one-of-the-provider" },
    });
    const { answer } = await world().doctor();
    const [, printed] = /`(lockstep import [^`]+)`/.exec(answer.findings[0]?.cause ?? "") ?? [];
    expect(printed).toBe(`lockstep import ${SECRET} --from worker`);
    await world().paste(printed ?? null);
    // Whoever changed it there did not deploy it: that is named next.
    const [behind] = (await world().doctor()).answer.findings;
    expect(behind).toMatchObject({ id: "process-behind", target: "worker" });
    await world().paste(behind?.command ?? null);
    expect((await world().doctor()).answer.findings).toEqual([]);
    for (const path of [world().files.mini, world().files.vps])
      expect(textOf(path)).toContain("the-new-one-of-the-provider");
    expect((await world().cli("audit list --json")).stdout).toContain('"secret.imported"');
  });
});
