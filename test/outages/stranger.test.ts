/** Somebody whom nobody has named still uses the value before: seen by a verifier that counts, with its real library. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import { createVerifier, usageEndpoint } from "../../src/sdk/verify.ts";
import { playOutages } from "./outage.ts";
import { SECOND, SECRET, type World } from "./world.ts";

const TOKEN = "a-token-of-the-endpoint";
/** What the service's process was started with. */
let variables: () => Readonly<Record<string, string>> = () => ({});
const verifier = createVerifier({
  name: SECRET,
  source: () => ({ primary: variables()[SECRET] ?? "-", fallback: variables()[`${SECRET}_FALLBACK`] }),
});
const listener = createServer(usageEndpoint(verifier, { token: TOKEN }));
afterAll(() => void listener.close().closeAllConnections());

async function countUses(world: World): Promise<void> {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  variables = () =>
    world.railway.railway.state.processes({ service: world.railway.serviceId })[0]?.variables ?? {};
  await world.cli("secret set USAGE_TOKEN", { stdin: TOKEN });
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/usage`;
  await world.configure(({ environments: { production } }) => {
    const [api] = production.secrets[SECRET]?.bindings ?? [];
    Object.assign(api ?? {}, { usage: { url, token: "USAGE_TOKEN" } });
    production.secrets["USAGE_TOKEN"] = { bindings: [] };
  });
  await world.rest();
}

playOutages([
  {
    name: "after a rotation a forgotten job still comes with the value before",
    async breaks(world) {
      await countUses(world);
      await world.cli(`secret set ${SECRET}`, { stdin: "canary-third-88f1-cccccccc" });
      await world.untilRows("the end of the move", "select from rollout where phase = 'settle'");
      // A while after the last known caller left.
      await world.loop.rows(
        "update rollout set phase_started_at = phase_started_at - interval '10 minutes' where state = 'running' returning id",
      );
      if (!verifier.verify(SECOND, { caller: "nightly-report" }).accepted)
        throw new Error("it was refused already");
      // The next look is due.
      await world.loop.rows("update binding set looked_at = looked_at - interval '1 hour' returning id");
      await world.untilRows("its count", "select from binding where used_by ->> '2' is not null");
    },
    finding: { id: "old-value-used", target: "api", severity: "hint" },
    says: /Somebody still calls api with v2 of INTERNAL_AUTH_SECRET \((?:just now|\d+ s ago), calling itself nightly-report\); every known caller sends v3[\s\S]*not bound to the secret/,
    command: /^lockstep discover$/,
    // Found and ended by whoever owns it; nobody has to be waited for.
    fixes: (world) => world.cli(`rotate ${SECRET} --urgent`),
    async tidies(world) {
      await world.rest();
      if (verifier.verify(SECOND).accepted) throw new Error("the value before is accepted still");
    },
  },
]);
