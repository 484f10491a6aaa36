/** `lockstep completion SHELL`: the script on stdout, made from the commands as they are. */
import type { Command } from "commander";
import type { CommandFunction } from "../cli.ts";
import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completionModel } from "../completion/model.ts";
import { zshScript } from "../completion/zsh.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** `program`: the whole tree, in which this command stands too. */
export function completionOf(program: Command): CommandFunction<[shell: keyof typeof SCRIPTS], unknown> {
  return async (cli, [shell]) => {
    const script = SCRIPTS[shell](completionModel(program));
    cli.output.answer({ shell, script }, () => cli.output.raw(script));
    return 0;
  };
}
