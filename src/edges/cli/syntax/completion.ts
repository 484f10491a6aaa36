/** completion, and what completion scripts call. */
import { Argument, type Command } from "commander";
import type { Attach } from "../cli.ts";
import { DYNAMIC_NAMES } from "../completion/model.ts";
import { examples } from "./options.ts";

const INSTALL = `
Install, then open a new shell:
  bash   echo 'eval "$(lockstep completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(lockstep completion zsh)"' >> ~/.zshrc     (below compinit)
  fish   lockstep completion fish > ~/.config/fish/completions/lockstep.fish`;

export function attachCompletion(program: Command, attach: Attach): void {
  attach(
    program
      .command("completion")
      .description("print a script that lets the shell complete commands, options and names")
      .summary("let the shell complete commands and names")
      .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh", "fish"]))
      .addHelpText(
        "after",
        `${examples("lockstep completion bash", "lockstep completion fish > ~/.config/fish/completions/lockstep.fish")}\n${INSTALL}`,
      ),
    async () => ({ run: (await import("../commands/completion.ts")).completionOf(program) }),
  );
  attach(
    program
      .command("__complete", { hidden: true })
      .description("names for a completion script; empty when the server does not answer at once")
      .addArgument(new Argument("<what>", "which names").choices(DYNAMIC_NAMES))
      .addHelpText("after", examples("lockstep __complete secrets")),
    () => import("../commands/complete.ts"),
  );
}
