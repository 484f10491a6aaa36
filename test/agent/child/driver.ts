/** `lockstep run` without a server, for tests: argv is the program's; SIGUSR2 makes it change its values. */

import { SecretValue } from "../../../src/core/secret-value.ts";
import { runChild } from "../../../src/edges/agent/child/run-child.ts";
import { childEnvironment } from "../../../src/lib/child-environment.ts";

const [program = "", ...args] = process.argv.slice(2);
const values = (version: number) => ({
  digest: `v${version}`,
  variables: new Map([["TOKEN", SecretValue.of(`canary-${version}`)]]),
});
const child = runChild({
  argv: [program, ...args],
  values: values(1),
  baseEnvironment: childEnvironment(process.env),
  startWindowMs: 50,
  onReport: (report) => process.stderr.write(`${JSON.stringify(report)}\n`),
});
process.exitCode = await child.ended;
