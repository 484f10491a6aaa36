/** What happens on a host over SSH: files, other copies, processes, rights, keys. */
import { chmodSync, chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKey } from "../support/sshd.ts";
import { playOutages } from "./outage.ts";
import { FIRST, SECOND, SECRET, VPS_KEY, type World, type WorldConfig } from "./world.ts";

const NOGROUP = 65_534;
const heal = new RegExp(`^lockstep heal --target vps --secret ${SECRET}$`);
const write =
  (text: string) =>
  ({ files }: World) =>
    writeFileSync(files.vps, text);
const host = ({ environments }: WorldConfig) =>
  environments.production.targets["vps"]?.["ssh"] as Record<string, unknown>;
const inUnit = (world: World, lines: string) => {
  const path = join(world.sshd.home, "app.service.d-override.conf");
  writeFileSync(path, lines, { mode: 0o600 });
  world.systemctl.setFiles(join(world.sshd.home, "app.service"), [path]);
};
const wholeUnit = (world: World) => world.systemctl.setFiles(join(world.sshd.home, "app.service"));

playOutages([
  {
    name: "a caller's file is edited by hand",
    breaks: write(`${VPS_KEY}="typed-in-an-editor"\n`),
    finding: { id: "hand-edit", target: "vps" },
    says: /since then .* changed it, without Lockstep/,
    refuses:
      /Calls from vps to api are refused .* vps sends a value that Lockstep does not know, api accepts v2/,
    command: heal,
  },
  {
    name: "the file is deleted",
    breaks: ({ files }) => rmSync(files.vps),
    finding: { id: "missing", target: "vps" },
    says: /holds nothing .*should hold v2[\s\S]*since then somebody deleted it/,
    command: heal,
  },
  {
    name: "an older file is put back from a backup",
    breaks: write(`${VPS_KEY}="${FIRST}"\n`),
    finding: { id: "stale-copy", target: "vps" },
    says: /older value was put back/,
    refuses: /vps sends v1, api accepts v2/,
    command: heal,
  },
  {
    name: "a drop-in of the unit names a later environment file, which holds an older value",
    breaks(world) {
      const late = join(world.sshd.home, "late.env");
      writeFileSync(late, `# from the old machine\n${VPS_KEY}=${FIRST}\nOTHER=1\n`);
      inUnit(world, `[Service]\nEnvironmentFile=${late}\n`);
    },
    finding: { id: "shadowed", target: "vps" },
    says: /the environment file \S+late.env, line 2 also sets KEY_AUTH and overrides this one: app.service starts with v1/,
    command: /^ssh -t -p \d+ 127\.0\.0\.1 'sudo sed -i\.lockstep-before .*systemctl restart app\.service'$/,
  },
  {
    name: "a drop-in of the unit sets the variable and drops the file",
    breaks: (world) => inUnit(world, `[Service]\nEnvironmentFile=\nEnvironment=${VPS_KEY}=${FIRST}\n`),
    finding: { id: "shadowed", target: "vps" },
    says: /Environment= in \S+override.conf, line 3 also sets KEY_AUTH and overrides this one/,
    command: /daemon-reload && sudo systemctl restart app\.service'$/,
  },
  {
    name: "a backup beside the file holds an older value",
    breaks: ({ files }) => writeFileSync(`${files.vps}.bak`, `${VPS_KEY}="${FIRST}"\n`),
    finding: { id: "other-copies", target: "vps", severity: "hint" },
    says: /is stored on the host of vps in other places too: \S+env\.bak, line 1 \(as KEY_AUTH, v1, older\)/,
    command: null,
    fixes: ({ files }) => rmSync(`${files.vps}.bak`),
  },
  {
    name: "a copy of the value in force can be read by everybody",
    async breaks(world) {
      writeFileSync(`${world.files.vps}.old`, `${VPS_KEY}="${await world.current()}"\n`, { mode: 0o644 });
    },
    finding: { id: "exposed", target: "vps" },
    says: /Every user of the host of vps can read v\d+ of INTERNAL_AUTH_SECRET: \S+env\.old, line 1/,
    command: /^ssh -t -p \d+ 127\.0\.0\.1 'sudo chmod go-rwx /,
    tidies: ({ files }) => rmSync(`${files.vps}.old`),
  },
  // Only root may give a file to a group that is not their own.
  ...(process.getuid?.() === 0
    ? [
        {
          name: "a group can read the file",
          breaks({ files }: World) {
            chownSync(files.vps, 0, NOGROUP);
            chmodSync(files.vps, 0o640);
          },
          finding: { id: "exposed-to-group", target: "vps", severity: "hint" } as const,
          says: /On the host of vps a group can read files that hold a secret: \S+env \(group nogroup\)/,
          command: /^ssh -t -p \d+ 127\.0\.0\.1 'sudo chmod go-rwx /,
          tidies: ({ files }: World) => chownSync(files.vps, 0, 0),
        },
      ]
    : []),
  {
    name: "a program's words in the unit hold the value",
    breaks: (world) => inUnit(world, `[Service]\nExecStart=/bin/app --token=${SECOND}\n`),
    finding: { id: "other-copies", target: "vps", severity: "hint" },
    says: /override\.conf, line 2 \(v2\)/,
    command: null,
    fixes: wholeUnit,
  },
  {
    name: "the process was started with an older file, and the file is right again",
    async breaks(world) {
      const text = readFileSync(world.files.vps, "utf8");
      writeFileSync(world.files.vps, text.replace(/canary-[\w-]+/, FIRST));
      const { execFileSync } = await import("node:child_process");
      execFileSync(join(world.systemctl.directory, "systemctl"), ["restart", "--", "app.service"]);
      writeFileSync(world.files.vps, text);
    },
    finding: { id: "process-behind", target: "vps" },
    says: /a running process holds v1, not v/,
    command: heal,
  },
  {
    name: "the unit does not start with the next value",
    async breaks(world) {
      writeFileSync(`${world.files.vps}.fail`, "");
      await world.cli(`secret set ${SECRET}`, { stdin: "canary-third-88f1-cccccccc" });
      await world.rest();
    },
    finding: { id: "unit-blocked", target: "vps" },
    says: /app\.service/,
    command: /^lockstep rollout resume /,
    fixes: ({ files }) => rmSync(`${files.vps}.fail`),
  },
  {
    name: "others may write the file",
    breaks: ({ files }) => chmodSync(files.vps, 0o666),
    finding: { id: "unreachable", target: "vps", severity: "cannot-tell" },
    says: /could not be checked[\s\S]*env/,
    command: /^lockstep target test vps$/,
    fixes: ({ files }) => chmodSync(files.vps, 0o600),
  },
  {
    name: "the host shows another key than the pinned one",
    async breaks(world) {
      await world.configure((config) => {
        host(config)["hostKey"] = generateKey().publicKey;
      });
    },
    finding: { id: "host-key", target: "vps" },
    says: /host key/,
    command: /^lockstep target trust 127\.0\.0\.1 --port \d+$/,
    // The shown key is written where the configuration keeps it.
    fixes: (world) => world.configure(),
  },
  {
    name: "the host does not take the key any more",
    async breaks(world) {
      await world.configure((config) => {
        host(config)["privateKey"] = generateKey().privateKey;
      });
    },
    finding: { id: "credential-refused", target: "vps" },
    says: /could not be checked/,
    command: /^lockstep apply$/,
    async fixes(world) {
      // A person gives the right one in the file; the printed command brings it in.
      await world.configure();
    },
  },
]);
