/** `lockstep import NAME`: a value that is in use somewhere becomes the secret's current version. */
import { LockstepError } from "../../../core/errors.ts";
import type { Operations } from "../../../protocol/api.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import type { CommandFunction } from "../cli.ts";
import type { Output } from "../output.ts";
import { resolveSecret } from "../secret-name.ts";

export interface ImportOptions {
  readonly environment?: string;
  readonly from?: string;
  readonly targetEnvironment?: string;
  /** `true`: the value that most places hold. */
  readonly winner?: true | string;
}

export const run: CommandFunction<[name: string], ImportOptions> = async (cli, [name], options) => {
  if (options.from !== undefined && options.winner !== undefined) {
    throw new LockstepError("USAGE", "Cannot use --from and --winner together: they choose the same thing.");
  }
  const api = await cli.api();
  const secret = await resolveSecret(api, name, options.environment);
  const target = options.from ?? (options.winner === true ? undefined : options.winner);
  const environment = options.targetEnvironment ?? secret.environment;
  const answer = await api.call("importSecret", {
    body: {
      ...secret,
      from:
        target === undefined
          ? { by: options.winner === true ? "majority" : "agreement" }
          : { by: "target", target, environment },
    },
  });
  cli.output.answer(answer, () => show(cli.output, name, answer));
  return 0;
};

function show(output: Output, name: string, answer: AnswerOf<Operations["importSecret"]>): void {
  output.line(`${name} is v${answer.version} now.`);
  for (const { target, key } of answer.adopted)
    output.line(`  adopted    ${target} ${key}: holds it already, not written`);
  for (const { target, key } of answer.corrected) output.line(`  corrected  ${target} ${key}: gets it now`);
  for (const { place, reason } of answer.unknown)
    output.line(`  unknown    ${place.target} ${place.key}: ${reason}`);
  if (answer.rolloutId !== null) output.line(`Look with: lockstep rollout show ${answer.rolloutId}`);
}
