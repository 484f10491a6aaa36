/** Asks one address through the proxy that the environment tells, and writes the answer: for trust that a process begins with. */

import { fetchThrough } from "../../src/lib/proxy/fetch-through.ts";
import { chooseWayOut } from "../../src/lib/proxy/way-out.ts";
import { readWayOut } from "../../src/settings/settings.ts";

chooseWayOut(readWayOut());
const options = { method: "POST", headers: {}, body: "{}", signal: AbortSignal.timeout(20_000) };
const answer = await fetchThrough(process.argv[2] ?? "", options).then(
  async (response) => `${response.status} ${await response.text()}`,
  (error: unknown) => String(error),
);
process.stdout.write(answer);
