/** Following costs requests of a quota: how many, for services that one credential reaches. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { PLAIN_FIELD } from "../../../src/core/secret.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import {
  INSTANT,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

const SERVICES = 5;
const SECRET = { environment: "production", name: "AUTH" };

describeOnAStore("services of one Railway environment", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let railway: RailwaySimulator;
  const services: string[] = [];

  beforeAll(async () => {
    kit = createLoopKit(database());
    context = kit.other({ targetKinds: new Map([[railwayKind.kind, railwayKind]]) });
    railway = await startRailwaySimulator({ durations: INSTANT });
    for (let index = 0; index < SERVICES; index += 1) {
      services.push((await railway.state.addService({ name: `service-${index}` })).serviceId);
    }
  });
  afterAll(() => railway.close());

  const configOf = (tokens: readonly string[]) => {
    const { projectId: project, environmentId: environment } = railway.defaults;
    const targets = Object.fromEntries(
      services.map((service, index) => [
        `service-${index}`,
        {
          railway: {
            project,
            environment,
            service,
            token: tokens[index % tokens.length],
            endpoint: railway.url,
          },
        },
      ]),
    );
    const bindings = Object.keys(targets).map((target) => ({ target, role: "both" }));
    return configSchema.parse({ environments: { production: { secrets: { AUTH: { bindings } }, targets } } });
  };
  const polls = async () => (await railway.log.requests({ operation: "FollowEnvironment" })).length;
  const restarted = async () => (await kit.rows("select 1 from activation where state = 'succeeded'")).length;

  it.each([
    { who: "one token asks once for all of them", tokens: 1 },
    { who: "each of two tokens asks once for its own", tokens: 2 },
  ])("$who", async ({ tokens }) => {
    const { projectToken, workspaceToken } = railway.defaults;
    const config = configOf([projectToken, workspaceToken].slice(0, tokens));
    await setSecret(context, TESTER, SECRET, { [PLAIN_FIELD]: SecretValue.of(`value-of-round-${tokens}`) });
    await applyConfig(context, TESTER, { config });
    await kit.drain(context);
    const before = { polls: await polls(), restarted: await restarted() };
    await setSecret(context, TESTER, SECRET, { [PLAIN_FIELD]: SecretValue.of(`next-of-round-${tokens}`) });
    await kit.drain(context);
    expect((await restarted()) - before.restarted).toBe(SERVICES);
    expect((await polls()) - before.polls).toBe(tokens);
  });
});
