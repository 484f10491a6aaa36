/** What is wrong with a place as a whole: it cannot be looked at, or its agent is away. Pure. */
import { ageText, durationText } from "../../lib/age.ts";
import { aboutTarget } from "./about-target.ts";
import type { Commands } from "./commands.ts";
import type { DoctorFacts, TargetFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** An agent asks at least once a minute. */
const AGENT_AWAY_MS = 180_000;

export function diagnoseTarget(
  target: TargetFacts,
  { now, release }: Pick<DoctorFacts, "now" | "release">,
  commands: Commands,
): readonly Finding[] {
  const agent = agentTrouble(target, now, commands);
  // One that is away is why its place could not be looked at.
  if (agent.some(({ id }) => id === "agent-away")) return agent;
  const unlooked = lookFailed(target, commands);
  // What could not even be looked at is said by that.
  return [
    ...(unlooked.length > 0 ? unlooked : testFailed(target, commands)),
    ...agent,
    ...otherRelease(target, release),
  ];
}

function lookFailed(target: TargetFacts, commands: Commands): readonly Finding[] {
  const { look } = target;
  if (look === null || look === "looked") return [];
  const about = {
    ...aboutTarget(target),
    what: `${target.name} could not be checked, so nobody can say what it holds now.`,
    consequence: [],
  };
  const cause = `${look.message} ${look.hint}`;
  switch (look.code) {
    case "TARGET_CREDENTIAL_REJECTED":
    case "DESTINATION_CHANGED":
      return [{ ...about, id: "credential-refused", severity: "wrong", cause, command: commands.apply() }];
    case "TARGET_HOST_KEY":
      return [{ ...about, id: "host-key", severity: "wrong", cause, command: commands.trust(target) }];
    default:
      return [
        { ...about, id: "unreachable", severity: "cannot-tell", cause, command: commands.test(target) },
      ];
  }
}

/** Messages are read strictly: what one of them has learned, the other may not understand. */
function otherRelease(target: TargetFacts, release: string): readonly Finding[] {
  const others = (target.agent?.releases ?? []).filter((one) => one !== release);
  if (others.length === 0) return [];
  return [
    {
      ...aboutTarget(target),
      id: "agent-release",
      severity: "hint",
      what: `The agent of ${target.name} is of release ${others.join(" and ")}, this server of ${release}.`,
      cause:
        "They may not understand all of each other's messages. Bring both to the same release, the server first.",
      consequence: [],
      command: null,
    },
  ];
}

/** Everything stands as it should, and the next change would not arrive. */
function testFailed(target: TargetFacts, commands: Commands): readonly Finding[] {
  const { testFailures } = target;
  if (testFailures.length === 0) return [];
  return [
    {
      ...aboutTarget(target),
      id: "target-test",
      severity: "wrong",
      what: `${target.name} would not accept a change: its daily test fails (${testFailures.map(({ name }) => name).join(", ")}).`,
      cause: testFailures.map(({ message }) => message).join(" "),
      consequence: [],
      command: commands.test(target),
    },
  ];
}

function agentTrouble(target: TargetFacts, now: Date, commands: Commands): readonly Finding[] {
  const { agent } = target;
  if (agent === undefined) return [];
  const findings: Finding[] = [];
  const { lastSeenAt, refused, clockAheadMs } = agent;
  if (clockAheadMs !== undefined) {
    findings.push({
      ...aboutTarget(target),
      id: "agent-away",
      severity: "cannot-tell",
      what: `The agent of ${target.name} does not get through: this server refuses its requests.`,
      cause: `Its clock is ${durationText(Math.abs(clockAheadMs))} ${clockAheadMs > 0 ? "ahead of" : "behind"} this server's, and a request with a wrong time could be an old one that somebody sent again. Correct the clock there (\`timedatectl set-ntp true\`) or here, whichever is wrong.`,
      consequence: [],
      command: commands.agents(),
    });
  } else if (lastSeenAt === null || now.getTime() - lastSeenAt.getTime() > AGENT_AWAY_MS) {
    const since =
      lastSeenAt === null
        ? "has never connected"
        : `last connected ${ageText(lastSeenAt.toISOString(), now)}`;
    findings.push({
      ...aboutTarget(target),
      id: "agent-away",
      severity: "cannot-tell",
      what: `The agent of ${target.name} ${since}; Lockstep does not know what its machine holds now.`,
      cause:
        lastSeenAt === null
          ? "No agent was enrolled for it, or the agent has never run."
          : "The machine sleeps or is off, its agent does not run, or its network blocks the connection.",
      consequence: [],
      command: lastSeenAt === null ? commands.invite(target) : commands.agents(),
    });
  }
  if (refused.length > 0) {
    findings.push({
      ...aboutTarget(target),
      id: "agent-refused",
      severity: "wrong",
      what: `The agent of ${target.name} refuses a part of its work.`,
      cause: `Its host policy does not allow: ${refused.join("; ")}. The owner of the host can allow it there.`,
      consequence: [],
      command: null,
    });
  }
  return findings;
}

/** Every key holds what it should, yet the last push was given up: the next change will not arrive either. */
export function gaveUpUnseen(target: TargetFacts, commands: Commands): readonly Finding[] {
  const { error, gaveUp } = target;
  if (!gaveUp || error === null) return [];
  return [
    {
      ...aboutTarget(target),
      id: "push-gave-up",
      severity: "wrong",
      what: `${target.name} holds what it should, but Lockstep gave up the last push there: the next change will not arrive.`,
      cause: `${error.message} ${error.hint}`,
      consequence: [],
      command: commands.testThenResume(target, null),
    },
  ];
}
