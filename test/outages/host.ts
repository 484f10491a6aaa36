/** The world's host: a real sshd with a real process, a stand-in for systemd, and a person's own ssh. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type FakeSystemctl, makeFakeSystemctl, RUNNING, startsProcess } from "../support/fake-systemctl.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

export interface HostOptions {
  /** Its disks can be filled, or go bad. */
  readonly ownMounts?: boolean;
  /**
   * Where the tests run as root, whom no right is ever denied: whoever logs in is this user, and what Lockstep writes
   * and starts there is this user's.
   */
  readonly asUser?: number;
}

export interface WorldHost {
  readonly sshd: RunningSshd;
  readonly systemctl: FakeSystemctl;
  /** The file that is kept right. */
  readonly file: string;
  /** As lockstep.yaml names it. */
  target(): Record<string, unknown>;
  /** A directory with an `ssh` that logs in as a person does. */
  readonly client: string;
  stop(): Promise<void>;
}

export const HOST_UNIT = "app.service";

/** `directory`: a private one, for what stands beside the host. */
export async function startHost(directory: string, options: HostOptions = {}): Promise<WorldHost> {
  const tools = join(directory, "tools");
  mkdirSync(tools);
  const systemctl = makeFakeSystemctl(tools);
  const asUser = process.getuid?.() === 0 ? options.asUser : undefined;
  const drop = asUser === undefined ? "" : `setpriv --reuid ${asUser} --regid ${asUser} --clear-groups `;
  const shell = join(tools, "shell");
  writeFileSync(
    shell,
    `#!/bin/sh\nPATH=${systemctl.directory}:$PATH; export PATH; exec ${drop}/bin/sh "$@"\n`,
  );
  chmodSync(shell, 0o755);
  const sshd = await startSshd({ loginShell: shell, ownMounts: options.ownMounts === true });
  const app = join(sshd.home, "app");
  mkdirSync(app, { mode: 0o700 });
  if (asUser !== undefined) {
    // Its own are its home and what the stand-in notes down; to both it only passes by.
    for (const way of [directory, tools, dirname(sshd.home)]) chmodSync(way, 0o711);
    for (const own of [sshd.home, app, systemctl.directory, join(systemctl.directory, "calls")])
      chownSync(own, asUser, asUser);
  }
  const file = join(app, "env");
  systemctl.set(RUNNING);
  systemctl.onRestart(startsProcess(file));
  systemctl.setFiles(unitFile(sshd, file));

  const client = join(tools, "ssh-client");
  mkdirSync(client);
  writeFileSync(join(client, "key"), sshd.clientKey.privateKey, { mode: 0o600 });
  writeFileSync(
    join(client, "ssh"),
    `#!/bin/sh\nexec /usr/bin/ssh -q -i ${client}/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@"\n`,
    { mode: 0o755 },
  );
  return {
    sshd,
    systemctl,
    file,
    client,
    target: () => ({
      ssh: { ...sshd.login },
      files: [{ path: file, format: "systemd" }],
      activate: { systemd: HOST_UNIT, timeoutSeconds: 10 },
    }),
    async stop() {
      systemctl.endProcess();
      await sshd.stop();
    },
  };
}

function unitFile(sshd: RunningSshd, environmentFile: string): string {
  const path = join(sshd.home, HOST_UNIT);
  writeFileSync(path, `[Service]\nEnvironmentFile=${environmentFile}\nExecStart=/bin/app\n`);
  return path;
}
