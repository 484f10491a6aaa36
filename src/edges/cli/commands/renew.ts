/** `lockstep renew NAME`: the next token now. With --wait it stays until every place has it. */
import type { CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL, followRollout } from "../follow.ts";
import { resolveSecret } from "../secret-name.ts";

export interface RenewOptions {
  readonly environment?: string;
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
  readonly again?: boolean;
}

/** Of what Lockstep was doing already when a person asked for it. */
export function joinedRenewalText(name: string): string {
  return `${name} was already being renewed: this is the result of that renewal; no second token was requested.`;
}

export const run: CommandFunction<[name: string], RenewOptions> = async (cli, [name], options) => {
  const { again, wait, timeout } = options;
  const api = await cli.api();
  const params = await resolveSecret(api, name, options.environment);
  const renewed = await cli.output.while(`Renewing ${name}`, () =>
    api.call("renewSecret", { params, body: again === true ? { again } : {} }),
  );
  if (renewed.joined !== undefined) cli.output.note(`note: ${joinedRenewalText(name)}`);
  const { secret, version, expiresAt, rollout } = renewed;
  const ended = wait === true && rollout !== null ? await followRollout(cli, api, rollout, timeout) : null;
  const state = ended?.state ?? null;
  cli.output.answer({ ...renewed, state }, () => {
    const until = expiresAt === null ? "does not end" : `is good until ${expiresAt}`;
    cli.output.line(`${secret} has v${version}, which ${until}.`);
    if (rollout === null) cli.output.line("It is not bound to any target.");
    else if (state === null)
      cli.output.line(`It is on its way to the places: lockstep rollout show ${rollout}`);
    else cli.output.line(state === "done" ? "Every place has the new token." : `Its rollout is ${state}.`);
  });
  if (state === null || state === "done") return 0;
  return state === "running" ? EXIT_CANNOT_TELL : 1;
};
