/**
 * A host over SSH as a target: keys in files, a unit that restarts.
 *
 * Promises: fenced by compare-and-set on the host, so an older write never replaces a newer one (unfenced, and saying
 * so, where the account has SFTP alone); foreign bytes stay; connections go to pinned keys only and are kept for the
 * next piece of work. The best evidence is `running` where every file is injected into the environment of a process that
 * can be named, `deployed` where something else restarts, otherwise `stored` (also after a signal, and after a command
 * that names neither its process nor a health check).
 */

import { LockstepError } from "../../../core/errors.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { UnitSpec } from "../../../core/ports/place.ts";
import type { Restorer } from "../../../core/ports/restorer.ts";
import type { DirectKind } from "../../../core/ports/target-kind.ts";
import { SshConnections } from "../../hosts/ssh/connections.ts";
import { SftpHost } from "../../hosts/ssh/sftp-host.ts";
import { SshHost } from "../../hosts/ssh/ssh-host.ts";
import { createHostActivator } from "../../placements/activation/activator.ts";
import { provenBy, unitOf } from "../../placements/activation/config.ts";
import { remarksOn } from "../../placements/activation/remarks.ts";
import { namedUnit } from "../../placements/activation/systemd-name.ts";
import { type CopyPlaces, createCopyFinder } from "../../placements/copies/find-copies.ts";
import { PROFILES } from "../../placements/copies/known-places.ts";
import { discoverFiles } from "../../placements/discover-files.ts";
import { applyToFiles, assertHoldable, type LastLooks, observeFiles } from "../../placements/placement.ts";
import { showsRunning } from "../../placements/running/environment.ts";
import { createHostObserver } from "../../placements/running/observer.ts";
import { createHostProber } from "../../probes/host-prober.ts";
import { createUsageReader } from "../../probes/usage-reader.ts";
import { destinationOf, parseSsh, readConfig, type SshConfig } from "./config.ts";
import { dialFromHost } from "./dial-from-host.ts";
import { probe } from "./probe.ts";

/** One per process: handshakes are what costs, so lines are shared by all pieces of work. */
let connections = new SshConnections();

/** A late write over SFTP: until the server has noticed that its line is dead. */
const SFTP_IN_FLIGHT_MS = 150_000;

/** For a process's end: idle lines would hold it for a minute. What is opened afterwards has lines of its own. */
export function closeSshConnections(): Promise<void> {
  const ended = connections;
  connections = new SshConnections();
  return ended.close();
}

export const sshKind: DirectKind = {
  kind: "ssh",
  delivery: "direct",
  /** A look over a kept connection is one script; hand edits are named within a minute. */
  checkEveryMs: 45_000,

  parse: parseSsh,

  destination(stored) {
    const { ssh } = readConfig(stored);
    const own = `ssh://${ssh.user}@${ssh.host}:${ssh.port} ${ssh.hostKey}`;
    return ssh.jump === null
      ? own
      : `${own} via ssh://${ssh.jump.user}@${ssh.jump.host}:${ssh.jump.port} ${ssh.jump.hostKey}`;
  },

  locationKey: (stored, placement) => placeOf(readConfig(stored), placement),

  probesThere: (stored) => (readConfig(stored).ssh.sftpOnly ? ["http"] : ["http", "command"]),

  discoveryScope(stored) {
    const config = readConfig(stored);
    return `${hostName(config)}/${config.ssh.user}:${config.files.map(({ path }) => path).join(":")}`;
  },

  resolvePlacement(stored, file) {
    const paths = readConfig(stored).files.map(({ path }) => path);
    const [only] = paths;
    if (file === undefined && paths.length === 1 && only !== undefined) return only;
    if (file !== undefined && paths.includes(file)) return file;
    const why =
      file === undefined
        ? "must say which `file`, because the target has several"
        : "names a file that the target does not have";
    throw new LockstepError("CONFIG_INVALID", why, { details: { path: ["file"] } });
  },

  capabilities(stored) {
    const { activate, health, files, ssh } = readConfig(stored);
    return {
      maxEvidence: showsRunning(activate, files) ? "running" : provenBy(activate, health, files),
      readable: true,
      deletable: true,
      conditionalWrite: !ssh.sftpOnly,
      inFlightMs: ssh.sftpOnly ? SFTP_IN_FLIGHT_MS : 0,
    };
  },

  units: (stored) => unitsOf(readConfig(stored)),

  machine(stored) {
    const { ssh, activate } = readConfig(stored);
    const { host, port, user } = ssh;
    const name = activate?.systemd;
    return { ssh: { host, port, user }, systemd: name === undefined ? null : namedUnit(name) };
  },

  remarks(stored) {
    const { activate, health, files } = readConfig(stored);
    return activate === null ? [] : remarksOn(activate, health, files);
  },

  assertHoldable: (stored, address, value) => assertHoldable(readConfig(stored).files, address, value),

  open: (...wanted) => openOn(connections)(...wanted),
};

/** The same with lines of one's own: for measuring, where it must be known what is kept and what is made anew. */
export function sshKindOn(lines: SshConnections): DirectKind {
  return { ...sshKind, open: openOn(lines) };
}

function openOn(lines: SshConnections): DirectKind["open"] {
  return (stored, credentials, context) => {
    const config = readConfig(stored);
    const destination = destinationOf(config, credentials, context.targetName);
    const host: Host = config.ssh.sftpOnly
      ? new SftpHost(lines, destination)
      : new SshHost(lines, destination);
    const dial = dialFromHost(lines, destination);
    const units = unitsOf(config);
    const looks: LastLooks = new Map();
    return {
      probe: (signal) => probe(host, config, signal),
      observe: async (addresses, signal) => ({
        ...(await observeFiles(host, config.files, addresses, signal, looks)),
        units,
      }),
      apply: (change, order, signal) => applyToFiles(host, config.files, change, order, signal, looks),
      activator: createHostActivator(host, config.activate, config.health, config.files),
      restorer: restorerOf(host, config.activate !== null),
      prober: createHostProber({ host: config.ssh.sftpOnly ? null : host, connect: dial }),
      usageReader: createUsageReader(dial, "target"),
      ...(showsRunning(config.activate, config.files)
        ? { running: createHostObserver(host, config.activate, config.files) }
        : {}),
      ...(config.ssh.sftpOnly ? {} : { copyFinder: createCopyFinder(host, copyPlacesOf(config)) }),
      discoverer: {
        discover: (interest, signal) =>
          discoverFiles(host, config.files, (path) => placeOf(config, path), interest, signal),
      },
      close: () => host.close(),
    };
  };
}

function copyPlacesOf({ files, activate, alsoCheck = [] }: SshConfig): CopyPlaces {
  return { files, activate, alsoCheck, profiles: PROFILES };
}

function restorerOf(host: Host, keeps: boolean): Restorer {
  return {
    keeps,
    async restore(placements, order, signal) {
      // All or nothing as far as it can be known: half of a restored set would be a state that never ran.
      for (const path of placements) {
        if (await host.hasRestoreCopy(path, signal)) continue;
        throw new LockstepError("NOT_FOUND", `No copy of ${path} is kept; nothing was put back.`);
      }
      for (const path of placements) await host.restore(path, order, signal);
    },
    async kept(placements, signal) {
      const found: string[] = [];
      for (const path of placements) if (await host.hasRestoreCopy(path, signal)) found.push(path);
      return found;
    },
    async discard(placements, signal) {
      for (const path of placements) await host.discardRestoreCopy(path, signal);
    },
  };
}

function unitsOf(config: SshConfig): readonly UnitSpec[] {
  const { activate, ssh } = config;
  return activate === null ? [] : [unitOf(activate, hostName(config), ssh.host, ssh.user)];
}

/** Below a home the user is part of the place; an absolute path is the same for everybody. */
function placeOf(config: SshConfig, placement: string): string {
  const { user } = config.ssh;
  return `${hostName(config)}:${placement.startsWith("~/") ? `${user}:${placement}` : placement}`;
}

function hostName({ ssh }: SshConfig): string {
  return `ssh:${ssh.host}:${ssh.port}`;
}
