/**
 * A server that does one thing with values and ends, for tests that kill it: `DO=set`, `DO=destroy` (`VERSION`, or the
 * first) or `DO=move`. `KILL_AT=<checkpoint>` ends it with SIGKILL when it gets there: nothing is flushed, no handler runs.
 */
import type { Checkpoint } from "../../src/app/base/context.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { destroyVersion } from "../../src/app/secrets/destroy-version.ts";
import { moveValues } from "../../src/app/values/move-values.ts";
import { composeContext } from "../../src/composition/compose.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { readSettings } from "../../src/settings/settings.ts";

const ACTOR = { kind: "local", id: "tester", name: "tester" } as const;
const NAME = { environment: "production", name: "AUTH" };

const { context, close } = await composeContext("server", readSettings(), {
  checkpoint: async (point: Checkpoint) => {
    if (point === process.env["KILL_AT"]) process.kill(process.pid, "SIGKILL");
  },
});
switch (process.env["DO"]) {
  case "set":
    await setSecret(context, ACTOR, NAME, { value: SecretValue.of("canary-killed") });
    break;
  case "destroy":
    await destroyVersion(context, ACTOR, NAME, Number(process.env["VERSION"] ?? 1));
    break;
  default:
    await moveValues(context, ACTOR);
}
await close();
