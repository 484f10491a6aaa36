/** `lockstep completion SHELL`: the script on stdout, made from the commands as they are. */
import type { CommandFunction } from "../cli.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completionModel } from "../completion/model.ts";
import { zshScript } from "../completion/zsh.ts";
import { buildProgram } from "../syntax/program.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export const run: CommandFunction<[shell: keyof typeof SCRIPTS], unknown> = async (cli, [shell]) => {
  const script = SCRIPTS[shell](completionModel(buildProgram(() => undefined)));
  cli.output.answer({ shell, script }, () => cli.output.raw(script));
  return 0;
};
