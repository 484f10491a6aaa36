/**
 * `lockstep target test [NAME…]`: credential, address and rights, without changing anything there; of every target
 * unless named. One named target is told in full; of several, what is wrong stands out.
 */
import { failedCheck } from "../../../core/failed-check.ts";
import { mapLimited } from "../../../lib/map-limited.ts";
import type { TestedTarget } from "../../../protocol/api-store.ts";
import type { CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import type { Output } from "../output.ts";
import { showTable } from "../table.ts";
import { resolveTarget } from "../target-name.ts";

type Place = Awaited<ReturnType<typeof resolveTarget>>;
type Check = TestedTarget["checks"][number];

/** Each is a login or two elsewhere; the server has other work. */
const AT_ONCE = 4;

export const run: CommandFunction<[names: readonly string[]], { readonly environment?: string }> = async (
  cli,
  [names],
  { environment },
) => {
  const api = await cli.api();
  const [only] = names;
  if (only !== undefined && names.length === 1) {
    const answer = await cli.output.while(`Testing ${only}`, async () =>
      api.call("testTarget", { params: await resolveTarget(api, only, environment) }),
    );
    cli.output.answer(answer, () => showOne(cli.output, answer));
    return answer.ok ? 0 : 1;
  }
  const places = await placesOf(api, names, environment);
  const targets = await testAll(cli.output, api, places);
  cli.output.answer({ targets }, () => showMany(cli.output, targets));
  return targets.every(({ ok }) => ok) ? 0 : 1;
};

async function placesOf(
  api: ApiClient,
  names: readonly string[],
  environment: string | undefined,
): Promise<readonly Place[]> {
  if (names.length > 0) return Promise.all(names.map((name) => resolveTarget(api, name, environment)));
  const { targets } = await api.call("listTargets", {
    query: environment === undefined ? {} : { environment },
  });
  return targets;
}

type Tested = Pick<TestedTarget, "target" | "environment" | "kind" | "ok" | "checks">;

async function testAll(output: Output, api: ApiClient, places: readonly Place[]): Promise<readonly Tested[]> {
  let ended = 0;
  const working = new Set<string>();
  const tell = (): void =>
    output.progress([`Tested ${ended} of ${places.length}; now: ${[...working].join(", ") || "–"}`]);
  const tested = await mapLimited(places, AT_ONCE, async ({ environment, name }): Promise<Tested> => {
    working.add(name);
    tell();
    try {
      return await api.call("testTarget", { params: { environment, name } });
    } catch (error) {
      // One that cannot be tested hides no other.
      const checks = [failedCheck("test", error)];
      return { target: name, environment, kind: "–", ok: false, checks };
    } finally {
      working.delete(name);
      ended += 1;
      tell();
    }
  });
  output.endProgress();
  return tested;
}

function showOne(output: Output, { target, kind, checks, capabilities }: TestedTarget): void {
  showTable<Check>(
    output,
    [
      { header: "check", cell: (check) => check.name },
      { header: "result", cell: okText, tone: okTone },
      { header: "says", cell: (check) => check.message, below: true },
    ],
    checks,
  );
  const { maxEvidence, readable, deletable, conditionalWrite } = capabilities;
  const abilities = [
    `evidence up to ${maxEvidence}`,
    readable ? "readable" : "not readable",
    deletable ? "deletable" : "not deletable",
    conditionalWrite
      ? "refuses older writes"
      : "does not refuse older writes: Lockstep finds and corrects them",
  ];
  output.line(`${target} (${kind}): ${abilities.join(", ")}`);
}

function showMany(output: Output, targets: readonly Tested[]): void {
  if (targets.length === 0) {
    output.line("There are no targets yet. Add them with `lockstep init` or in lockstep.yaml.");
    return;
  }
  showTable<Tested>(
    output,
    [
      { header: "target", cell: ({ target }) => target },
      { header: "environment", cell: ({ environment }) => environment, shrink: true },
      { header: "kind", cell: ({ kind }) => kind },
      { header: "result", cell: okText, tone: okTone },
      { header: "what is wrong", cell: wrongText, below: true },
    ],
    targets,
  );
  const failed = targets.filter(({ ok }) => !ok);
  output.line(
    failed.length === 0
      ? `All ${targets.length} can be used.`
      : `${failed.length} of ${targets.length} cannot be used: ${failed.map(({ target }) => target).join(", ")}.`,
  );
}

function wrongText({ checks }: Tested): string {
  const failed = checks.filter(({ ok }) => !ok);
  return failed.map(({ name, message }) => `${name}: ${message}`).join("; ");
}

function okText({ ok }: { readonly ok: boolean }): string {
  return ok ? "ok" : "failed";
}

function okTone({ ok }: { readonly ok: boolean }): "good" | "bad" {
  return ok ? "good" : "bad";
}
