/** Copies that win: what a compose file or a job sets besides the file that is kept right. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { reach } from "../support/agent-kit.ts";
import { type FakeLaunchctl, makeFakeLaunchctl } from "../support/fake-launchctl.ts";
import { playOutages } from "./outage.ts";
import { FIRST, SECRET, VPS_KEY, type World } from "./world.ts";

const LABEL = "com.example.app";
const DOMAIN = process.getuid?.() === 0 ? "system" : `gui/${process.getuid?.() ?? 0}`;
const COMPOSE = "app/compose.yaml";
const JOB = `Library/LaunchAgents/${LABEL}.plist`;

const compose = (home: string, file: string, environment = "") =>
  writeFileSync(
    join(home, COMPOSE),
    `services:\n  app:\n    image: example/app:3\n    env_file: ${file}\n${environment}`,
  );
const job = (home: string, environment = "") =>
  writeFileSync(
    join(home, JOB),
    `<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>Label</key><string>${LABEL}</string>
<key>ProgramArguments</key><array><string>/bin/sleep</string><string>600</string></array>
<key>EnvironmentVariables</key><dict><key>LANG</key><string>C</string>${environment}</dict>
<key>RunAtLoad</key><true/></dict></plist>\n`,
  );

const tools = mkdtempSync(join(tmpdir(), "lockstep-launchctl-"));
let launchctl: FakeLaunchctl | null = null;
afterAll(() => {
  launchctl?.stop();
  rmSync(tools, { recursive: true });
});
const ctl = (...words: readonly string[]) => execFileSync(join(tools, "fake-launchctl", "launchctl"), words);
const mini = ({ directory }: World) => join(directory, "mini");
/** Its agent looks and tells beside us. */
const untilTold = (world: World, what: string, query: string) =>
  reach(what, async () => {
    await world.cli("check --target mini");
    return (
      (await world.loop.rows(`select from target where name = 'mini' and copies::text ${query}`)).length > 0
    );
  });

playOutages(
  [
    {
      name: "a compose file on the host sets the variable besides its env_file",
      breaks: ({ sshd }) =>
        compose(sshd.home, "env", `    environment:\n      LANG: C\n      ${VPS_KEY}: ${FIRST}\n`),
      finding: { id: "shadowed", target: "vps" },
      says: /holds v2, but another copy overrides it, with v1[\s\S]*`environment` in \S+compose\.yaml, line 7 also sets KEY_AUTH and overrides this one: its container starts with v1, whatever Lockstep writes\. Remove the line, so that only one place decides\. Then run `docker compose up -d` there/,
      refuses: /Calls from vps to api are refused .*: vps sends v1, api accepts v2/,
      // Which services of it run, and where their project is, a person knows.
      command: null,
      fixes: ({ sshd }) => compose(sshd.home, "env"),
    },
    {
      name: "a compose file on a machine with an agent sets the variable besides its env_file",
      async breaks(world) {
        compose(mini(world), ".env", `    environment:\n      - ${SECRET}=${FIRST}\n`);
        await untilTold(world, "the compose file", "like '%compose%'");
      },
      finding: { id: "shadowed", target: "mini" },
      says: /`environment` in ~\/app\/compose\.yaml, line 6 also sets INTERNAL_AUTH_SECRET and overrides this one: its container starts with v1.* on that machine/,
      refuses: /Calls from mini to api are refused .*: mini sends v1, api accepts v2/,
      command: null,
      async fixes(world) {
        compose(mini(world), ".env");
        await untilTold(world, "that it is gone", "not like '%compose%'");
      },
    },
    {
      name: "a job's plist at an agent sets the variable, which wins over the .env",
      async breaks(world) {
        job(mini(world), `\n<key>${SECRET}</key>\n<string>${FIRST}</string>`);
        await untilTold(world, "the plist", "like '%plist%'");
      },
      finding: { id: "shadowed", target: "mini" },
      says: /the job ~\/Library\/LaunchAgents\/com\.example\.app\.plist, line 6 also sets INTERNAL_AUTH_SECRET and overrides this one: .* starts with v1, whatever Lockstep writes\. Remove INTERNAL_AUTH_SECRET from it on that machine.* Then load the job again there with `launchctl bootout` and `launchctl bootstrap`/,
      refuses: /Calls from mini to api are refused .*: mini sends v1, api accepts v2/,
      command: null,
      async fixes(world) {
        job(mini(world));
        ctl("bootout", `${DOMAIN}/${LABEL}`);
        ctl("bootstrap", DOMAIN, join(mini(world), JOB));
        await untilTold(world, "that it is gone", "not like '%plist%'");
      },
    },
  ],
  undefined,
  {
    policy: `units: [${LABEL}]\ncopies: ["~/${COMPOSE}"]\n`,
    path: join(tools, "fake-launchctl"),
    prepare({ host, machine }) {
      compose(host, "env");
      compose(machine, ".env");
      mkdirSync(join(machine, "Library", "LaunchAgents"), { recursive: true });
      job(machine);
      // Of a world before.
      launchctl?.stop();
      rmSync(join(tools, "fake-launchctl"), { recursive: true, force: true });
      launchctl = makeFakeLaunchctl(tools);
      ctl("bootstrap", DOMAIN, join(machine, JOB));
    },
    config({ environments: { production } }, { host }) {
      Object.assign(production.targets["vps"] ?? {}, {
        alsoCheck: [join(host, COMPOSE)],
        // What brings the project up: no process of it can be named.
        activate: { command: ["/bin/true"], timeoutSeconds: 10 },
      });
      Object.assign(production.targets["mini"] ?? {}, { activate: { launchd: LABEL, timeoutSeconds: 10 } });
    },
  },
);
