/**
 * Many hosts on one machine: a handful of real sshd processes, each behind several loopback addresses, so that every
 * host has an address, a connection and a directory of its own. Whoever measures client and servers at once measures
 * the machine that both share, and says so.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunningSshd, startSshd } from "../../support/sshd.ts";
import type { BenchOptions } from "./bench.ts";

/** sshd listens on 16 sockets at most. */
const ADDRESSES_PER_SSHD = 16;
/** Default is 10:30:100 per server; one process stands for sixteen here. */
export const MAX_STARTUPS = "160:30:1600";
export const MAX_SESSIONS = 10;

export interface FleetHost {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  readonly sshd: RunningSshd;
  /** Its own, 0700. */
  readonly directory: string;
}

export interface Fleet {
  readonly hosts: readonly FleetHost[];
  readonly user: string;
}

export async function startFleet(
  count: number,
  { cleanUp, signal }: Pick<BenchOptions, "cleanUp" | "signal">,
): Promise<Fleet> {
  const servers: RunningSshd[] = [];
  cleanUp(() => Promise.all(servers.map((server) => server.stop())));
  while (servers.length * ADDRESSES_PER_SSHD < count) {
    const addresses = Array.from({ length: ADDRESSES_PER_SSHD - 1 }, (_, index) => `127.0.0.${index + 2}`);
    servers.push(
      await startSshd({
        maxStartups: MAX_STARTUPS,
        lines: [
          `MaxSessions ${MAX_SESSIONS}`,

          ...addresses.map((address) => `ListenAddress ${address}`),
        ],
      }),
    );
    signal.throwIfAborted();
  }
  const hosts = Array.from({ length: count }, (_, index): FleetHost => {
    const sshd = servers[Math.floor(index / ADDRESSES_PER_SSHD)];
    if (sshd === undefined) throw new Error("too few servers");
    const directory = join(sshd.home, `host-${index}`);
    mkdirSync(directory, { mode: 0o700 });
    return { index, host: `127.0.0.${(index % ADDRESSES_PER_SSHD) + 1}`, port: sshd.port, sshd, directory };
  });
  return { hosts, user: servers[0]?.user ?? "root" };
}

/** An env file of about 2 KB, as services have them: the first key changes, the rest stays. */
export function envFile(value: string): string {
  const rest = Array.from(
    { length: 40 },
    (_, index) => `SETTING_${index}=value-${index}-abcdefghijklmnopqrstuvwxyz01234`,
  );
  return `${[`${CHANGED_KEY}='${value}'`, ...rest].join("\n")}\n`;
}

export const CHANGED_KEY = "INTERNAL_AUTH_SECRET";
export const FILE_NAME = "env";

export function pathOf(host: FleetHost): string {
  return join(host.directory, FILE_NAME);
}

/** What stood there before anybody measured. */
export function plant(hosts: readonly FleetHost[], value: string): void {
  for (const host of hosts) writeFileSync(pathOf(host), envFile(value), { mode: 0o600 });
}

/** Looks behind everybody's back: a figure for work that was not done is worth nothing. */
export function assertArrived(hosts: readonly FleetHost[], value: string, who: string): void {
  const expected = envFile(value);
  const wrong = hosts.filter((host) => {
    const path = pathOf(host);
    return (
      !existsSync(path) || readFileSync(path, "utf8") !== expected || (statSync(path).mode & 0o777) !== 0o600
    );
  });
  if (wrong.length > 0)
    throw new Error(`${who}: ${wrong.length} of ${hosts.length} hosts do not hold the new file`);
}
