/** `lockstep epoch begin`: a person says that this store counts from now on, having seen what stands where. */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { canAsk, confirm } from "../prompt.ts";
import { showEpoch } from "../show/epoch.ts";

export interface BeginOptions {
  readonly reason: string;
  readonly yes?: boolean;
}

export const run: CommandFunction<[], BeginOptions> = async (cli, _parameters, { reason, yes }) => {
  const { output } = cli;
  if (yes !== true && !canAsk(cli)) {
    throw new LockstepError("USAGE", "Cannot ask for confirmation: there is no terminal.", {
      hint: "Check with `lockstep epoch`, then add --yes.",
    });
  }
  const api = await cli.api();
  const before = await output.while("Checking the places", () => api.call("lookAtEpoch"));
  if (!output.json) showEpoch(output, before, new Date());
  if (yes !== true) {
    output.line();
    const agreed = await confirm(
      cli,
      "Are you sure that no other copy of this store runs, and shall this store be the valid one from now on?",
    );
    if (!agreed) {
      output.note("Nothing was changed.");
      return 1;
    }
  }
  const begun = await api.call("beginEpoch", { body: { reason } });
  output.answer({ ...begun, places: before.places }, () => {
    output.line();
    output.line(`Epoch ${begun.epoch} has begun. ${begun.targets} targets are brought up to date now.`);
    output.line("To check: lockstep status");
  });
  return 0;
};
