/** agent: invite, list, revoke, where the server is; enroll, run, status, policy, install on the machine. And run. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachAgents(program: Command, attach: Attach): void {
  const agent = program
    .command("agent")
    .summary("machines that nobody can dial, and their side of it")
    .description("Lockstep's program on machines that nobody can dial: it fetches what they must hold")
    .addHelpText("after", examples("lockstep agent invite mac-mini", "lockstep agent list"));
  attach(
    agent
      .command("invite <target>")
      .description("a code by which one machine becomes this target's agent; valid once, for 15 minutes")
      .addOption(environmentOption())
      .option(
        "--replace",
        "the target has an agent: whoever shows the code takes its place, and it is revoked",
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
      .description("the agents: state, machine, last seen, how far they are, what they refused")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep agent list", "lockstep agent list --json")),
    () => import("../commands/agent-list.ts"),
  );
  attach(
    agent
      .command("revoke <target>")
      .description("end the target's agents at once, and show what they ever received")
      .addOption(environmentOption())
      .option("--agent <id>", "only this one of them")
      .addHelpText("after", examples("lockstep agent revoke mac-mini")),
    () => import("../commands/agent-revoke.ts"),
  );
  attachOnHost(agent, attach);
}

/** On the machine itself; none of these speaks with the API. */
function attachOnHost(agent: Command, attach: Attach): void {
  attach(
    onHost(agent.command("enroll"))
      .description(
        "on the machine: become the agent of the target that a code names; the code comes over stdin or a prompt",
      )
      .option("--code-file <path>", "read the code from there")
      .option("--write-policy", "put the first policy in place without asking")
      .option("--replace", "give up the identity that this machine has, without asking")
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
      .description("on the machine: fetch, apply, restart and report, until told to end")
      .addHelpText("after", examples("lockstep agent run")),
    async () => (await import("../commands/agent-on-host.ts")).runAgent,
  );
  attach(
    onHost(agent.command("status"))
      .description(
        "on the machine: what stands here, whether the server is reached, what was refused; exits with 3 or 4 when not all is well",
      )
      .addHelpText("after", examples("lockstep agent status", "lockstep agent status --json")),
    () => import("../commands/agent-status.ts"),
  );
  attach(
    onHost(agent.command("policy"))
      .description(
        "on the machine: what its owner allows, what was refused, and the lines that would allow it",
      )
      .addHelpText("after", examples("lockstep agent policy")),
    async () => (await import("../commands/agent-on-host.ts")).policy,
  );
  for (const name of ["install", "uninstall"] as const) {
    const command = onHost(agent.command(name))
      .description(
        name === "install"
          ? "on the machine: write and start a service of systemd or launchd that runs the agent"
          : "on the machine: end and remove the service; identity, cache and policy stay",
      )
      .option("--system", "starts with the machine, not with this user's session; the default as root")
      .addHelpText(
        "after",
        examples(
          `lockstep agent ${name}`,
          ...(name === "install" ? ["lockstep agent install --system --print"] : []),
        ),
      );
    if (name === "install") {
      command
        .option("--print", "show the file instead of writing it")
        .option("--node <path>", "the Node that the service starts; a path that stays when Node is upgraded");
    }
    attach(command, async () => (await import("../commands/agent-on-host.ts"))[name]);
  }
}

export function attachRun(program: Command, attach: Attach): void {
  attach(
    onHost(program.command("run"))
      .summary("start a program with its secrets; again when they change")
      .description(
        "start a program with its target's secrets in the environment, and again when they change; LOCKSTEP_ENROLMENT_FILE names a code for containers",
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

function onHost(command: Command): Command {
  return command
    .option("--state <directory>", "where identity and cache lie; as LOCKSTEP_AGENT_STATE")
    .option("--policy <file>", "the machine's own policy; as LOCKSTEP_AGENT_POLICY");
}
