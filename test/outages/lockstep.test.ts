/** What is wrong with Lockstep's own side: its clock, its ways to people, its workers, tokens that end, forgotten places. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { deliverDue } from "../../src/app/alerts/deliver.ts";
import { watchFindings } from "../../src/app/alerts/watch-findings.ts";
import { runDoctor } from "../../src/app/doctor/run-doctor.ts";
import { startTokenProvider } from "../support/token-provider.ts";
import { playOutages } from "./outage.ts";
import { FIRST, SECRET, type WorldConfig } from "./world.ts";

const production = ({ environments }: WorldConfig) => environments.production;
const never = new AbortController().signal;
const HOOK = { url: "", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr" };
const receiver = createServer((_request, response) => {
  response.writeHead(204).end();
});
let provider: Awaited<ReturnType<typeof startTokenProvider>>;

playOutages(
  [
    {
      name: "alerts do not arrive",
      async breaks(world) {
        await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
        HOOK.url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
        receiver.close();
        await once(receiver, "close");
        await world.configure((config) => {
          Object.assign(config, { alerts: { pager: { webhook: HOOK } } });
        });
        // Something to be told, and over again: what remains is that nobody heard of it.
        await world.railway.railway.state.removeVariables({ service: world.worker, names: [SECRET] });
        await world.checkNow("worker");
        await watchFindings(world.context);
        await deliverDue(world.context, never);
        expect((await world.cli("alert test pager")).exitCode).not.toBe(0);
        await world.cli("heal --no-wait");
        await world.rest();
      },
      finding: { id: "alerts-not-delivered", target: null },
      says: /Alerts do not arrive through "pager"/,
      command: /^lockstep alert test pager$/,
      async fixes(world) {
        const { port } = new URL(HOOK.url);
        await new Promise<void>((resolve) => receiver.listen(Number(port), "127.0.0.1", resolve));
        await world.loop.rows(
          "update delivery set next_attempt_at = now() where state = 'pending' returning id",
        );
        await deliverDue(world.context, never);
      },
    },
    {
      name: "no worker takes anything up",
      async breaks(world) {
        receiver.close().closeAllConnections();
        await world.cli(`secret set ${SECRET}`, { stdin: "canary-third-88f1-cccccccc" });
        await world.stopAgent();
        await world.loop.rows("update agent set last_seen_at = now() - interval '1 hour' returning id");
        await world.loop.rows(
          "update target set next_action_at = now() - interval '10 minutes' where generation <> settled_generation returning id",
        );
      },
      finding: { id: "not-pushed" },
      says: /was never pushed: no worker has started on it.*Start one with `lockstep worker`, or `lockstep up`/,
      also: ["not-pushed", "not-pushed", "not-pushed", "agent-away"],
      command: null,
      async fixes(world) {
        await world.startAgent();
        await world.rest();
      },
    },
    {
      name: "no worker looks at anything, and nothing is owed",
      breaks: (world) =>
        world.loop.rows(
          "update target set next_check_at = now() - interval '1 hour' where name = 'worker' returning id",
        ),
      finding: { id: "checks-late", target: null },
      says: /should have been checked 60 min ago, and was not.*no alert is sent.\nNo worker runs/,
      command: null,
      fixes: (world) => world.checkNow("worker"),
    },
    {
      name: "a token's provider is away for longer than the token lives",
      async breaks(world) {
        provider = await startTokenProvider((count) => ({
          token: `canary-partner-${count}`,
          expires_in: 3_600,
        }));
        await world.configure((config) => {
          production(config).secrets["PARTNER_TOKEN"] = {
            issue: { http: { url: provider.url, body: "{}", expiresIn: "/expires_in" } },
            bindings: [{ target: "worker", role: "caller" }],
          };
        });
        await world.renew();
        await world.rest();
        provider.behaviour = { kind: "cut" };
        await world.loop.rows(
          "update renewal set made_expires_at = now() - interval '1 minute', made_at = now() - interval '2 hours' returning secret_id",
        );
        await world.loop.rows(
          "update secret_version set expires_at = now() - interval '1 minute', created_at = now() - interval '2 hours' where expires_at is not null returning version",
        );
        await world.renew();
      },
      finding: { id: "token-expired", secret: "PARTNER_TOKEN" },
      says: /PARTNER_TOKEN/,
      command: /^lockstep renew PARTNER_TOKEN$/,
      fixes: () => {
        provider.behaviour = null;
      },
    },
    {
      name: "a secret is older than it may be",
      async breaks(world) {
        await provider.close();
        await world.configure((config) => {
          Object.assign(production(config).secrets[SECRET] ?? {}, {
            generate: { random: { bytes: 32 } },
            rotate: { maxAge: "30d", strategy: "replace" },
          });
          delete production(config).secrets["PARTNER_TOKEN"];
        });
        await world.rest();
        await world.loop.rows(
          "update secret_version set created_at = now() - interval '90 days' returning version",
        );
      },
      finding: { id: "too-old", secret: SECRET },
      says: /is 90 d old; `maxAge` allows 30 d.*has rotated it/s,
      command: new RegExp(`^lockstep rotate ${SECRET} --wait$`),
    },
  ],
  (world) => {
    it("two clocks that differ are told", async () => {
      const now = () => new Date(Date.now() + 600_000);
      const context = { ...world().context, ownClock: { now } };
      const { findings } = await runDoctor(
        context,
        { live: false, timeoutMs: 1_000 },
        AbortSignal.timeout(10_000),
      );
      expect(findings.filter(({ id }) => id === "clock")).toMatchObject([
        { id: "clock", severity: "wrong", what: expect.stringMatching(/10 min behind/) },
      ]);
    });

    it("forgotten places are found: another service, and another file beside ours", async () => {
      await world().railway.railway.state.addService({ name: "cron", variables: { [SECRET]: FIRST } });
      const { places } = (await world().cli("discover --json")).json() as {
        places: { name: string; holds: string; version: number | null; reachedBy: string }[];
      };
      expect(places).toMatchObject([{ name: "service cron", holds: "older", version: 1 }]);
    });
  },
);
