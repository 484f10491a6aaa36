/** `lockstep import NAME`: a value that is in use somewhere becomes the secret's current version. */
import { LockstepError } from "../../../core/errors.ts";
import type { Operations } from "../../../protocol/api.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import type { CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL, followRollout } from "../follow.ts";
import type { Output } from "../output.ts";
import { resolveSecret } from "../secret-name.ts";
import { showRollout } from "../show/rollout.ts";

export interface ImportOptions {
  readonly environment?: string;
  readonly from?: string;
  readonly targetEnvironment?: string;
  /** `true`: the value that most places hold. */
  readonly winner?: true | string;
  readonly exact?: boolean;
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
}

export const run: CommandFunction<[name: string], ImportOptions> = async (cli, [name], options) => {
  if (options.from !== undefined && options.winner !== undefined) {
    throw new LockstepError("USAGE", "Cannot use --from and --winner together: both choose the value.");
  }
  const api = await cli.api();
  const secret = await resolveSecret(api, name, options.environment);
  const target = options.from ?? (options.winner === true ? undefined : options.winner);
  const environment = options.targetEnvironment ?? secret.environment;
  const answer = await cli.output.while("Checking the places", () =>
    api.call("importSecret", {
      body: {
        ...secret,
        from:
          target === undefined
            ? { by: options.winner === true ? "majority" : "agreement" }
            : { by: "target", target, environment },
        ...(options.exact === true ? { exact: true } : {}),
      },
    }),
  );
  if (options.wait !== true || answer.rolloutId === null) {
    cli.output.answer(answer, () => show(cli.output, name, answer));
    return 0;
  }
  const rollout = await followRollout(cli, api, answer.rolloutId, options.timeout);
  cli.output.answer({ ...answer, rollout }, () => {
    show(cli.output, name, { ...answer, rolloutId: null });
    showRollout(cli.output, rollout);
  });
  if (rollout.state === "running") return EXIT_CANNOT_TELL;
  return rollout.state === "done" ? 0 : 1;
};

function show(output: Output, name: string, answer: AnswerOf<Operations["importSecret"]>): void {
  output.line(`${name} is v${answer.version} now.`);
  for (const { target, key } of answer.adopted)
    output.line(`  adopted    ${target} ${key}: already holds the value, not written`);
  for (const { target, key } of answer.corrected)
    output.line(`  corrected  ${target} ${key}: gets the value now`);
  for (const { place, reason } of answer.unknown)
    output.line(`  unknown    ${place.target} ${place.key}: ${reason}`);
  if (answer.rolloutId !== null) output.line(`To check: lockstep rollout show ${answer.rolloutId}`);
}
