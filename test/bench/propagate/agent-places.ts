/** Files beside agents: each a whole agent with a home, a policy and a line of its own, all of them in one process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inviteAgent } from "../../../src/app/agents/enrolment/manage-agents.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import type { EnrolOrder } from "../support/agents-process.ts";
import type { BenchOptions } from "../support/bench.ts";
import { FIRST_VALUE, KEY, type Places } from "./places.ts";

const CODE_LIFE_MS = 15 * 60_000;

export async function startAgentPlaces(
  most: number,
  { cleanUp }: Pick<BenchOptions, "cleanUp">,
): Promise<Places> {
  const root = mkdtempSync(join(tmpdir(), "lockstep-bench-agents-"));
  cleanUp(async () => rmSync(root, { recursive: true, force: true }));
  const homes = Array.from({ length: most }, (_, index) => join(root, `agent-${index}`));
  for (const home of homes) {
    for (const name of ["app", "policy"]) mkdirSync(join(home, name), { recursive: true, mode: 0o700 });
    const policy = 'files: ["~/app/env"]\ncommands: { restart: ["/bin/true"] }\n';
    writeFileSync(join(home, "policy", "agent-policy.yaml"), policy, { mode: 0o600 });
    // What stands there already is adopted.
    writeFileSync(join(home, "app", "env"), `${KEY}='${FIRST_VALUE}'\n`, { mode: 0o600 });
  }
  const agents = fork(join(import.meta.dirname, "../support/agents-process.ts"), {
    env: { PATH: process.env["PATH"], HOME: root },
    execArgv: ["--import", "tsx"],
  });
  cleanUp(async () => {
    if (agents.exitCode !== null || agents.signalCode !== null) return;
    const gone = once(agents, "exit");
    agents.kill("SIGTERM");
    await gone;
  });
  let enrolled = 0;
  return {
    kind: "agent",
    targets: async (count) =>
      Object.fromEntries(
        homes.slice(0, count).map((_, index) => [
          `agent-${index}`,
          {
            agent: {},
            files: [{ path: "~/app/env", format: "dotenv" }],
            activate: { command: "restart" },
            health: { command: "restart" },
          },
        ]),
      ),
    async afterApply(context, actor, environment, url) {
      const order: EnrolOrder[] = [];
      const count = await invitedTargets(context, environment);
      for (; enrolled < count; enrolled += 1) {
        const { code } = await inviteAgent(context, actor, {
          environment,
          target: `agent-${enrolled}`,
          reusable: false,
          livesMs: CODE_LIFE_MS,
          listener: { url, tlsKeyDigest: null },
        });
        order.push({ code, home: homes[enrolled] ?? root });
      }
      if (order.length === 0) return;
      agents.send(order);
      const [said] = (await Promise.race([once(agents, "message"), once(agents, "exit")])) as [unknown];
      if (said !== "running") throw new Error("the agents did not start");
    },
    async assertArrived(count, value) {
      const wrong = homes
        .slice(0, count)
        .filter((home) => !readFileSync(join(home, "app", "env"), "utf8").includes(value));
      if (wrong.length > 0) throw new Error(`${wrong.length} machines do not hold the new value`);
    },
    requests: async () => null,
  };
}

async function invitedTargets(context: AppContext, environment: string): Promise<number> {
  const targets = await context.store.read.views.targets({ environment });
  return targets.filter(({ kind }) => kind === "agent").length;
}
