/** `lockstep demo`: the whole story on this machine, with nothing of the user's touched. */
import type { CommandFunction } from "../cli.ts";

export interface DemoCommandOptions {
  readonly fast?: boolean;
  readonly keep?: boolean;
  readonly standIn?: boolean;
}

export const run: CommandFunction<[], DemoCommandOptions> = async (cli, _parameters, options) => {
  const { output, surroundings, interrupted } = cli;
  const { live, colours, columns } = output.style;
  const result = await cli.demo({
    terminal: { write: (text) => output.story(text), live, colours, columns },
    environment: surroundings.env,
    pauses: live && options.fast !== true,
    keep: options.keep === true,
    sshServer: options.standIn === true ? "stand-in" : "auto",
    signal: interrupted,
  });
  output.answer(result, () => undefined);
  return result.ok ? 0 : 1;
};
