/** Ansible's side: `copy` or `lineinfile` as an ad-hoc command, with pipelining and kept connections. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { CHANGED_KEY, FILE_NAME, type FleetHost } from "../support/ssh-fleet.ts";

export type AnsibleWay = "copy" | "lineinfile";

export interface AnsibleSide {
  readonly version: string;
  /** The value stands in a file of ours, the content in another: neither is in argv for `copy`. */
  push(
    way: AnsibleWay,
    hosts: readonly FleetHost[],
    change: { readonly value: string; readonly content: string },
    forks: number,
    signal: AbortSignal,
  ): Promise<void>;
  /** Opens the masters that are kept for 300 s. */
  warm(hosts: readonly FleetHost[], forks: number, signal: AbortSignal): Promise<void>;
  closeMasters(hosts: readonly FleetHost[]): Promise<void>;
}

/** Null when this machine lacks it. */
export function openAnsible(configFile: string, directory: string): AnsibleSide | null {
  const version = versionOf();
  if (version === null) return null;
  const sockets = join(directory, "a");
  mkdirSync(sockets, { mode: 0o700 });
  writeFileSync(
    join(directory, "ansible.cfg"),
    [
      "[defaults]",
      "host_key_checking = True",
      "gathering = explicit",
      "interpreter_python = /usr/bin/python3",
      `local_tmp = ${join(directory, "ansible-local")}`,
      "[ssh_connection]",
      "pipelining = True",
      `ssh_args = -F ${configFile} -o ControlMaster=auto -o ControlPersist=300s`,
      `control_path_dir = ${sockets}`,
      "control_path = %(directory)s/%%n",
      "",
    ].join("\n"),
  );
  const run = async (
    hosts: readonly FleetHost[],
    args: readonly string[],
    forks: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const inventory = join(directory, "inventory");
    writeFileSync(inventory, hosts.map((host) => `host-${host.index} dir=${host.directory}\n`).join(""));
    const child = spawn("ansible", ["all", "-i", inventory, "-f", String(forks), "-o", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: directory,
        LC_ALL: "C.UTF-8",
        ANSIBLE_CONFIG: join(directory, "ansible.cfg"),
      },
      signal,
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on("error", () => undefined);
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`Ansible failed (${code}): ${said.slice(0, 500)}`);
  };
  return {
    version,
    async push(way, hosts, { value, content }, forks, signal) {
      const payload = join(directory, "ansible-payload");
      writeFileSync(payload, content, { mode: 0o600 });
      const file = `{{dir}}/${FILE_NAME}`;
      const args =
        way === "copy"
          ? ["-m", "copy", "-a", `src=${payload} dest=${file} mode=0600`]
          : [
              "-m",
              "lineinfile",
              "-a",
              `path=${file} regexp=^${CHANGED_KEY}= line="${CHANGED_KEY}='${value}'" mode=0600`,
            ];
      await run(hosts, args, forks, signal);
    },
    warm: (hosts, forks, signal) => run(hosts, ["-m", "raw", "-a", "true"], forks, signal),
    async closeMasters(hosts) {
      const end = promisify(execFile);
      for (const host of hosts) {
        const socket = join(sockets, `host-${host.index}`);
        await end("ssh", [
          "-F",
          configFile,
          "-o",
          `ControlPath=${socket}`,
          "-O",
          "exit",
          `host-${host.index}`,
        ]).catch(() => undefined);
      }
    },
  };
}

function versionOf(): string | null {
  try {
    return (
      execFileSync("ansible", ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
        "\n",
      )[0] ?? null
    );
  } catch {
    return null;
  }
}
