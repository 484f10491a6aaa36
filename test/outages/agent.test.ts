/** What happens on a machine with an agent, as in the outage that Lockstep was made for. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { reach } from "../support/agent-kit.ts";
import { playOutages } from "./outage.ts";
import { FIRST, SECOND, SECRET, type World } from "./world.ts";

const heal = new RegExp(`^lockstep heal --target mini --secret ${SECRET}$`);
const write =
  (text: string) =>
  ({ files }: World) =>
    writeFileSync(files.mini, text);
const home = ({ files }: World) => dirname(dirname(files.mini));
/** Its agent looks and tells beside us. */
const untilTold = (world: World, what: string, query: string) =>
  reach(what, async () => {
    await world.cli("check --target mini");
    return (await world.loop.rows(query)).length > 0;
  });
const COPIES = "select from target where name = 'mini' and copies::text";

playOutages([
  {
    name: "the secret is changed on the machine and forgotten everywhere else",
    breaks: write(`${SECRET}='changed-on-the-mac-mini'\n`),
    finding: { id: "hand-edit", target: "mini" },
    says: /mini, \S+\.env, key INTERNAL_AUTH_SECRET: holds a value that Lockstep does not know/,
    refuses:
      /Calls from mini to api are refused \(401 or 403\): mini sends a value that Lockstep does not know, api accepts v2/,
    command: heal,
  },
  {
    name: "the value is written in quotes inside of quotes",
    breaks: write(`${SECRET}='"${SECOND}"'\n`),
    finding: { id: "hand-edit", target: "mini" },
    says: /it is v2 in quotes/,
    command: heal,
  },
  {
    name: "the line is deleted",
    breaks: write("# nothing here any more\n"),
    finding: { id: "missing", target: "mini" },
    says: /since then somebody deleted it/,
    command: heal,
  },
  {
    name: "an older copy is put back",
    breaks: write(`${SECRET}='${FIRST}'\n`),
    finding: { id: "stale-copy", target: "mini" },
    says: /older value was put back/,
    refuses: /mini sends v1, api accepts v2/,
    command: heal,
  },
  {
    name: "a shell's profile exports an older value",
    async breaks(world) {
      writeFileSync(join(home(world), ".zshenv"), `export ${SECRET}="${FIRST}"\n`);
      await untilTold(world, "the profile", `${COPIES} like '%zshenv%'`);
    },
    finding: { id: "other-copies", target: "mini", severity: "hint" },
    says: /in other places too: ~\/\.zshenv, line 1 \(as INTERNAL_AUTH_SECRET, v1, older\)/,
    command: null,
    async fixes(world) {
      rmSync(join(home(world), ".zshenv"));
      await untilTold(world, "that it is gone", `${COPIES} not like '%zshenv%'`);
    },
  },
  {
    name: "the machine is away",
    async breaks(world) {
      await world.stopAgent();
      await world.loop.rows("update agent set last_seen_at = now() - interval '1 hour'");
    },
    finding: { id: "agent-away", target: "mini", severity: "cannot-tell" },
    says: /last connected 60 min ago[\s\S]*sleeps or is off/,
    command: /^lockstep agent list$/,
    fixes: async (world) => {
      await world.startAgent();
      await untilTold(
        world,
        "that it is back",
        "select from agent where last_seen_at > now() - interval '1 minute'",
      );
    },
  },
  {
    name: "the machine's owner does not allow the file any more",
    async breaks(world) {
      writeFileSync(`${world.files.policy}.before`, readFileSync(world.files.policy));
      writeFileSync(world.files.policy, 'commands: { restart: ["/bin/sh", "-c", ":"] }\n', { mode: 0o600 });
      await world.cli(`secret set ${SECRET}`, { stdin: "canary-third-88f1-cccccccc" });
      await world.rest();
    },
    finding: { id: "agent-refused", target: "mini" },
    also: ["push-gave-up"],
    says: /does not allow/,
    // Once the machine's owner allows it, it goes on by itself.
    command: null,
    async fixes(world) {
      writeFileSync(world.files.policy, readFileSync(`${world.files.policy}.before`), { mode: 0o600 });
      await untilTold(
        world,
        "that it is allowed",
        "select from target where name = 'mini' and gave_up_at is null",
      );
    },
  },
]);
