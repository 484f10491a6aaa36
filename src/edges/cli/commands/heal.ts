/**
 * `lockstep heal`: writes again what should stand at places. Stays until it stands there and is in use, unless told
 * otherwise; exits with 1 when it does not get there, with 4 when it is still under way.
 */
import type { HealAnswer } from "../../../protocol/api-doctor.ts";
import type { BoundStatus } from "../../../protocol/api-parts.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import { EXIT_CANNOT_TELL, poll } from "../follow.ts";
import { bindingColumns } from "../show/binding-table.ts";
import { showTable } from "../table.ts";

export interface HealOptions {
  readonly environment?: string;
  readonly target?: string;
  readonly secret?: string;
  readonly wait: boolean;
  /** In ms. */
  readonly timeout?: number;
}

const TIMEOUT_MS = 300_000;

export const run: CommandFunction<[], HealOptions> = async (cli, _parameters, options) => {
  const { environment, target, secret } = options;
  const api = await cli.api();
  const asked = await api.call("heal", {
    body: {
      ...(environment === undefined ? {} : { environment }),
      ...(target === undefined ? {} : { target }),
      ...(secret === undefined ? {} : { secret }),
    },
  });
  const places = options.wait ? await waitFor(cli, api, asked, options.timeout ?? TIMEOUT_MS) : [];
  cli.output.answer({ ...asked, bindings: places.map(({ status }) => status) }, () =>
    show(cli, asked, places),
  );
  if (asked.refused.length > 0 || places.some((place) => place.gaveUp)) return 1;
  return places.every((place) => place.status.state === "in-sync") ? 0 : EXIT_CANNOT_TELL;
};

interface HealedPlace {
  readonly secret: string;
  readonly current: number | null;
  readonly status: BoundStatus;
  readonly gaveUp: boolean;
  /** It was written, and nobody may read it there. */
  readonly isUnseen: boolean;
}

async function waitFor(
  cli: Cli,
  api: ApiClient,
  { healing }: HealAnswer,
  timeoutMs: number,
): Promise<readonly HealedPlace[]> {
  return poll(cli, timeoutMs, {
    look: () => look(api, healing),
    lines: (places) => places.map(progressLine),
    goesOn: (places) =>
      !places.every(({ status, gaveUp, isUnseen }) => gaveUp || isUnseen || status.state === "in-sync"),
    stillGoesOn: "The work goes on. To check again: lockstep status",
  });
}

async function look(api: ApiClient, healing: HealAnswer["healing"]): Promise<readonly HealedPlace[]> {
  const [{ secrets }, { targets }] = await Promise.all([api.call("getStatus"), api.call("listTargets")]);
  return healing.flatMap((place) => {
    const target = targets.find(
      ({ name, environment }) => name === place.target && environment === place.environment,
    );
    return secrets
      .filter(({ name }) => name === place.secret)
      .flatMap(({ name, current, bindings }) =>
        bindings
          .filter(
            ({ target: at, key, placement }) =>
              at === place.target && key === place.key && placement === place.placement,
          )
          .map((status) => healedPlace({ secret: name, current, status }, target?.state ?? "settled")),
      );
  });
}

/** While the target is owed, what was seen there is from before. */
function healedPlace(
  place: Omit<HealedPlace, "gaveUp" | "isUnseen">,
  target: "settled" | "owed" | "gave-up",
): HealedPlace {
  const { status } = place;
  const gaveUp =
    target === "gave-up" || (status.state === "owed" && (status.reason ?? "").includes("did not restart"));
  const owed = target === "owed" && status.state === "in-sync";
  const isUnseen = target === "settled" && status.state === "unreadable";
  return { ...place, gaveUp, isUnseen, status: owed ? { ...status, state: "owed" } : status };
}

function progressLine({ secret, status }: HealedPlace): string {
  return `${secret} at ${status.target}: ${status.reason ?? status.state}`;
}

function show({ output }: Cli, { healing, refused }: HealAnswer, places: readonly HealedPlace[]): void {
  if (healing.length + refused.length === 0) output.line("No place is known to differ; nothing was done.");
  for (const { secret, target, key, reason } of refused) {
    output.line(`refused  ${secret} at ${target}, key ${key}: ${reason}; see lockstep doctor`);
  }
  if (places.length > 0) {
    showTable(
      output,
      bindingColumns(new Date(), { withSecret: true }),
      places.map(({ secret, current, status }) => ({ ...status, secret, current })),
    );
    return;
  }
  for (const { secret, target, key } of healing) output.line(`healing  ${secret} at ${target}, key ${key}`);
}
