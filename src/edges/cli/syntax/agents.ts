/** agent: invite, list, revoke, where the server is; enroll, run, status, policy, install on the machine. And run. */
import { type Command, Option } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachAgents(program: Command, attach: Attach): void {
  const agent = program
    .command("agent")
    .summary("agents on machines that cannot be reached from outside")
    .description(
      "agents: programs on machines that cannot be reached from outside; an agent fetches what its machine must hold",
    )
    .addHelpText("after", examples("lockstep agent invite mac-mini", "lockstep agent list"));
  attach(
    agent
      .command("invite <target>")
      .description(
        "make a code with which one machine becomes this target's agent; valid once, for 15 minutes",
      )
      .addOption(environmentOption())
      .option(
        "--replace",
        "replace the target's agent: whoever uses the code becomes the agent, and the old one is revoked",
      )
      .option("--reusable", "for containers: serves many short-lived identities until it expires")
      .addOption(durationOption("--expires <duration>", "with --reusable: how long, for example 12h or 30d"))
      .addHelpText(
        "after",
        examples(
          "lockstep agent invite mac-mini",
          "lockstep agent invite mac-mini --replace",
          "lockstep agent invite web --reusable --expires 30d --json",
        ),
      ),
    () => import("../commands/agent-invite.ts"),
  );
  attach(
    agent
      .command("list")
      .description("list agents: state, machine, last contact, progress, what they refused")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep agent list", "lockstep agent list --json")),
    () => import("../commands/agent-list.ts"),
  );
  attach(
    agent
      .command("revoke <target>")
      .description("revoke the target's agents at once, and show what they have received")
      .addOption(environmentOption())
      .option("--agent <id>", "revoke only this one")
      .addHelpText("after", examples("lockstep agent revoke mac-mini")),
    () => import("../commands/agent-revoke.ts"),
  );
  attachOnHost(agent, attach);
}

/** On the machine itself; none of these speaks with the API. */
export function attachOnHost(agent: Command, attach: Attach): void {
  attach(
    enrolling(onHost(agent.command("setup")))
      .description(
        "on the machine: enroll and install, in one go; a program that came as one file is first put where it stays",
      )
      .option("--no-service", "install no service: something else supervises programs here")
      .option(
        "--node <path>",
        "the Node that the service starts; use a path that stays when Node is upgraded",
      )
      .addHelpText(
        "after",
        examples(
          "lockstep agent setup",
          "lockstep agent setup --code-file /run/secrets/lockstep-code --write-policy",
        ),
      ),
    async () => (await import("../commands/agent-on-host.ts")).setup,
  );
  attach(
    enrolling(onHost(agent.command("enroll")))
      .description(
        "on the machine: become the agent of the target that a code names; give the code over stdin or at a prompt",
      )
      .addHelpText(
        "after",
        examples(
          "lockstep agent enroll",
          "lockstep agent enroll --code-file /run/secrets/lockstep-code --write-policy",
        ),
      ),
    async () => (await import("../commands/agent-on-host.ts")).enroll,
  );
  attach(
    onHost(agent.command("run"))
      .description("on the machine: fetch, apply, restart and report, until stopped")
      .addHelpText("after", examples("lockstep agent run")),
    async () => (await import("../commands/agent-on-host.ts")).runAgent,
  );
  attach(
    onHost(agent.command("status"))
      .description(
        "on the machine: what it holds, whether it reaches the server, what was refused; exits with 3 or 4 when something is wrong",
      )
      .addHelpText("after", examples("lockstep agent status", "lockstep agent status --json")),
    () => import("../commands/agent-status.ts"),
  );
  attach(
    onHost(agent.command("policy"))
      .description(
        "on the machine: what its owner allows, what was refused, and the lines to add to allow it",
      )
      .addHelpText("after", examples("lockstep agent policy")),
    async () => (await import("../commands/agent-on-host.ts")).policy,
  );
  attach(
    onHost(agent.command("install"))
      .description("on the machine: install and start a systemd or launchd service that runs the agent")
      .addOption(systemOption())
      .option("--print", "show the file instead of writing it")
      .option(
        "--node <path>",
        "the Node that the service starts; use a path that stays when Node is upgraded",
      )
      .addHelpText("after", examples("lockstep agent install", "lockstep agent install --system --print")),
    async () => (await import("../commands/agent-on-host.ts")).install,
  );
  attach(
    onHost(agent.command("upgrade"))
      .description(
        "on the machine: replace a downloaded program by the one that the server offers and signs; the old one comes back when the new one does not report",
      )
      .option("--allow-older", "take an older release too")
      .addHelpText("after", examples("lockstep agent upgrade")),
    () => import("../commands/agent-upgrade.ts"),
  );
  attach(
    onHost(agent.command("uninstall"))
      .description("on the machine: stop and remove the service; identity, cache and policy stay")
      .addOption(systemOption())
      .option("--purge", "remove identity, cache, policy and the downloaded program too")
      .addHelpText("after", examples("lockstep agent uninstall", "lockstep agent uninstall --purge")),
    async () => (await import("../commands/agent-on-host.ts")).uninstall,
  );
}

function systemOption(): Option {
  return new Option("--system", "start with the machine, not with this user's session; the default for root");
}

export function attachRun(program: Command, attach: Attach): void {
  attach(
    onHost(program.command("run"))
      .summary("start a program with its secrets; restart on change")
      .description(
        "start a program with its target's secrets in the environment, and restart it when they change; LOCKSTEP_ENROLMENT_FILE names a code for containers",
      )
      .argument("<program...>", "after --, with its arguments")
      .addHelpText(
        "after",
        examples(
          "lockstep run -- node server.js",
          "LOCKSTEP_ENROLMENT_FILE=/run/secrets/lockstep-code lockstep run -- gunicorn app:app",
        ),
      ),
    async () => (await import("../commands/agent-on-host.ts")).runChild,
  );
}

function enrolling(command: Command): Command {
  return command
    .option("--code-file <path>", "read the code from there")
    .option("--write-policy", "write the first policy without asking")
    .option("--replace", "replace the identity that this machine has, without asking");
}

function onHost(command: Command): Command {
  return command
    .option("--state <directory>", "where identity and cache are kept; same as LOCKSTEP_AGENT_STATE")
    .option("--policy <file>", "the machine's own policy; same as LOCKSTEP_AGENT_POLICY");
}
