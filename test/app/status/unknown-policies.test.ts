/** What a newer release stored of secrets, bindings and rollouts: an older one beside it still tells how things stand. */
import { expect, test } from "vitest";
import { runDoctor } from "../../../src/app/doctor/run-doctor.ts";
import { viewRenewals } from "../../../src/app/renewals/view-renewals.ts";
import { viewStatus } from "../../../src/app/status/status.ts";
import { useDatabase } from "../../support/database.ts";
import { createLoopKit } from "../../support/loop-kit.ts";

const getDatabase = useDatabase();
const never = new AbortController().signal;
const UNKNOWN = [
  {
    issue: { oracle: { question: 1 } },
    renew: { whenever: true },
    rotate: { every: 3, strategy: "sideways" },
  },
  { issue: "somebody", rotate: [], fields: "all", generate: { uuid: {} } },
  { issue: null, renew: null, rotate: null, fields: { user: 7 } },
];

test("unknown policies and options break neither status nor doctor nor renewals", async () => {
  const kit = createLoopKit(getDatabase());
  await kit.reset();
  await kit.target("api");
  for (const [index, policy] of UNKNOWN.entries()) {
    const id = await kit.secret(`S${index}`);
    await kit.bind(`S${index}`, "api", { said: { probe: "any", evidence: { by: "radar" }, silentFor: 7 } });
    await kit.set(`S${index}`, "a value");
    await kit.rows(`update secret set policy = '${JSON.stringify(policy)}' where id = '${id}'`);
  }
  await kit.rows(`update rollout set options = '{"settleForMs":"long","forced":[]}'`);
  const { context } = kit;
  expect((await viewStatus(context, {})).secrets).toHaveLength(UNKNOWN.length);
  expect((await viewRenewals(context)).map(({ issuer }) => issuer).sort()).toEqual(["", "", "oracle"]);
  expect((await runDoctor(context, { live: false, timeoutMs: 1_000 }, never)).findings).toEqual(
    expect.any(Array),
  );
  const rollouts = await context.store.read.views.rollouts({ limit: 10 });
  expect(rollouts).toHaveLength(UNKNOWN.length);
  await kit.drain();
});
