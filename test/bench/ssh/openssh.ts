/**
 * OpenSSH's side, as people script it: one `ssh` (or `scp`, then `ssh mv`) a host under `xargs -P`, cold or over
 * masters that stand. No comparison, no fence, no sync, no read-back: only the file, atomically in place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Fleet, type FleetHost, pathOf } from "../support/ssh-fleet.ts";

export type OpenSshWay = "ssh" | "scp";

export interface OpenSshSide {
  /** Of OpenSSH's configuration; hosts are named `host-<index>`. */
  readonly configFile: string;
  openMasters(hosts: readonly FleetHost[], signal: AbortSignal): Promise<void>;
  push(
    way: OpenSshWay,
    hosts: readonly FleetHost[],
    content: string,
    atOnce: number,
    signal: AbortSignal,
  ): Promise<void>;
  closeMasters(): Promise<void>;
}

const OPEN_WITHIN_MS = 30_000;

/** `directory`: private and short, because paths of sockets are limited. */
export function openOpenSsh(fleet: Fleet, directory: string): OpenSshSide {
  const configFile = writeConfig(fleet, directory);
  const masters: ChildProcess[] = [];
  const socketOf = (host: FleetHost) => join(directory, "m", `host-${host.index}`);
  return {
    configFile,
    async openMasters(hosts, signal) {
      // Few at a time: this is not measured, and must not be dropped.
      for (let first = 0; first < hosts.length; first += 8) {
        const some = hosts.slice(first, first + 8);
        masters.push(
          ...some.map((host) =>
            spawn("ssh", ["-F", configFile, "-M", "-N", "-n", `host-${host.index}`], { stdio: "ignore" }),
          ),
        );
        const deadline = Date.now() + OPEN_WITHIN_MS;
        while (!some.every((host) => existsSync(socketOf(host)))) {
          if (Date.now() > deadline) throw new Error("a master did not come up");
          await delay(5, undefined, { signal });
        }
      }
    },
    async push(way, hosts, content, atOnce, signal) {
      const payload = join(directory, "payload");
      writeFileSync(payload, content, { mode: 0o600 });
      const script = join(directory, `${way}.sh`);
      writeFileSync(script, SCRIPTS[way], { mode: 0o700 });
      const lines = hosts.map((host) => `host-${host.index} ${pathOf(host)}\n`).join("");
      const child = spawn(
        "xargs",
        ["-P", String(atOnce), "-L", "1", "/bin/sh", script, configFile, payload],
        {
          stdio: ["pipe", "ignore", "pipe"],
          signal,
        },
      );
      let complaint = "";
      child.stderr.on("data", (chunk: Buffer) => {
        complaint += chunk.toString();
      });
      child.on("error", () => undefined);
      child.stdin.end(lines);
      const [code] = (await once(child, "close")) as [number | null];
      if (code !== 0) throw new Error(`OpenSSH by ${way} failed (${code}): ${complaint.slice(0, 500)}`);
    },
    async closeMasters() {
      await Promise.all(
        masters.splice(0).map(async (master) => {
          if (master.exitCode !== null || master.signalCode !== null) return;
          const ended = once(master, "exit");
          master.kill("SIGTERM");
          await ended;
        }),
      );
    },
  };
}

/** $1 configuration, $2 payload, $3 host, $4 path. */
const SCRIPTS: Readonly<Record<OpenSshWay, string>> = {
  ssh: `exec ssh -F "$1" "$3" "umask 077; cat >'$4.new' && mv '$4.new' '$4'" <"$2"\n`,
  scp: `scp -q -p -F "$1" "$2" "$3:$4.new" && exec ssh -n -F "$1" "$3" "mv '$4.new' '$4'"\n`,
};

function writeConfig(fleet: Fleet, directory: string): string {
  mkdirSync(join(directory, "m"), { mode: 0o700 });
  const known = new Set<string>();
  const sections = fleet.hosts.map((host) => {
    const key = join(directory, `key-${host.port}`);
    if (!existsSync(key)) writeFileSync(key, host.sshd.clientKey.privateKey, { mode: 0o600 });
    known.add(`[${host.host}]:${host.port} ${host.sshd.hostKey}`);
    return `Host host-${host.index}\n  HostName ${host.host}\n  Port ${host.port}\n  IdentityFile ${key}\n`;
  });
  const knownHosts = join(directory, "known_hosts");
  writeFileSync(knownHosts, `${[...known].join("\n")}\n`, { mode: 0o600 });
  const configFile = join(directory, "ssh_config");
  const common = [
    "Host *",
    `  User ${fleet.user}`,
    `  UserKnownHostsFile ${knownHosts}`,
    "  GlobalKnownHostsFile /dev/null",
    "  StrictHostKeyChecking yes",
    "  UpdateHostKeys no",
    "  BatchMode yes",
    "  IdentitiesOnly yes",
    "  IdentityAgent none",
    "  PreferredAuthentications publickey",
    "  LogLevel ERROR",
    `  ControlPath ${join(directory, "m")}/%n`,
    "  ControlMaster no",
  ];
  writeFileSync(configFile, `${sections.join("\n")}\n${common.join("\n")}\n`, { mode: 0o600 });
  return configFile;
}
