/**
 * Makes the agent a service of this machine, or takes it away again: writes one file, and asks systemd or launchd.
 *
 * Promises: repeating changes nothing; every step is said before it is done; a file of somebody else's is not
 * touched; nothing but the service goes: identity, cache and policy stay where they are.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { LockstepError } from "../../../core/errors.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { buildLaunchdJob, LAUNCHD_LABEL } from "./launchd-job.ts";
import { OURS, type ServiceFile, type ServiceOptions } from "./service.ts";
import { buildSystemdUnit, SYSTEMD_UNIT } from "./systemd-unit.ts";

export interface InstallContext {
  readonly platform: "linux" | "darwin";
  /** Who installs. */
  readonly uid: number;
  /** Runs a program to its end, without a shell. Null: it could not be started at all. */
  readonly run: (argv: readonly string[]) => Promise<{ readonly exitCode: number | null }>;
  /** Tells the person each step. */
  readonly say: (line: string) => void;
  /** Instead of the system's own place, for tests. */
  readonly testOnlyDirectory?: string;
}

export interface ServicePlan extends ServiceFile {
  readonly path: string;
}

/** What `--print` shows. Pure. */
export function planService(
  options: ServiceOptions,
  { platform, testOnlyDirectory }: Pick<InstallContext, "platform" | "testOnlyDirectory">,
): ServicePlan {
  const file = platform === "darwin" ? buildLaunchdJob(options) : buildSystemdUnit(options);
  const name = platform === "darwin" ? `${LAUNCHD_LABEL}.plist` : SYSTEMD_UNIT;
  const remarks = [...file.remarks, ...(options.remarks ?? [])];
  return { ...file, remarks, path: `${testOnlyDirectory ?? directoryOf(options, platform)}/${name}` };
}

/** Where a service of ours may stand, of this user and of the system. */
export function servicePaths(home: string, platform: InstallContext["platform"]): readonly string[] {
  const name = platform === "darwin" ? `${LAUNCHD_LABEL}.plist` : SYSTEMD_UNIT;
  return (["user", "system"] as const).map((scope) => `${directoryOf({ scope, home }, platform)}/${name}`);
}

/** Throws ALREADY_EXISTS for another's file, TARGET_PERMISSION, ACTIVATION_FAILED. */
export async function installAgent(options: ServiceOptions, context: InstallContext): Promise<ServicePlan> {
  const plan = planService(options, context);
  assertRights(options, context);
  const before = await readOurs(plan.path);
  await makeOwnDirectories(options, context);
  const changed = before !== plan.content;
  if (changed) {
    context.say(`write ${plan.path}`);
    await replaceFile(plan);
  }
  if (context.platform === "darwin") await startJob(options, context, plan.path, changed);
  else await startUnit(options, context, changed);
  for (const remark of plan.remarks) context.say(remark);
  return plan;
}

/** With another program under the same path. Throws ACTIVATION_FAILED. */
export async function restartService(
  options: Pick<ServiceOptions, "scope">,
  context: InstallContext,
): Promise<void> {
  if (context.platform === "linux") await must(context, [...systemctl(options), "restart", SYSTEMD_UNIT]);
  else
    await must(context, ["launchctl", "kickstart", "-k", `${domainOf(options, context)}/${LAUNCHD_LABEL}`]);
}

/** Repeating is harmless. */
export async function uninstallAgent(options: ServiceOptions, context: InstallContext): Promise<void> {
  const { path } = planService(options, context);
  assertRights(options, context);
  const isThere = (await readOurs(path)) !== null;
  if (context.platform === "darwin") {
    const target = `${domainOf(options, context)}/${LAUNCHD_LABEL}`;
    if (await isLoaded(context, target)) await must(context, ["launchctl", "bootout", target]);
  } else if (isThere) await must(context, [...systemctl(options), "disable", "--now", SYSTEMD_UNIT]);
  if (!isThere) {
    context.say(`${path} is not there; nothing is installed`);
    return;
  }
  context.say(`remove ${path}`);
  await rm(path, { force: true });
  if (context.platform === "linux") await must(context, [...systemctl(options), "daemon-reload"]);
}

/** What is missing when the service starts stays read-only for it. Another user's directories are not ours to make. */
async function makeOwnDirectories(
  { home, stateDirectory, user }: ServiceOptions,
  context: InstallContext,
): Promise<void> {
  for (const directory of [stateDirectory, `${home}/.lockstep`]) {
    if (user !== null) {
      const command = shellCommand(["install", "-d", "-m", "0700", "-o", user, directory]);
      context.say(`the agent needs ${directory}; where it is missing: ${command}`);
      continue;
    }
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch {
      throw new LockstepError("TARGET_PERMISSION", `Cannot make ${directory}.`, {
        hint: "Repeat with the rights to do so.",
      });
    }
  }
}

async function startUnit(options: ServiceOptions, context: InstallContext, changed: boolean): Promise<void> {
  const base = systemctl(options);
  if (changed) await must(context, [...base, "daemon-reload"]);
  await must(context, [...base, "enable", SYSTEMD_UNIT]);
  // `restart` starts what does not run; what runs with this very file is left alone.
  await must(context, [...base, changed ? "restart" : "start", SYSTEMD_UNIT]);
}

async function startJob(
  options: ServiceOptions,
  context: InstallContext,
  path: string,
  changed: boolean,
): Promise<void> {
  const domain = domainOf(options, context);
  const target = `${domain}/${LAUNCHD_LABEL}`;
  if (await isLoaded(context, target)) {
    if (!changed) return;
    await must(context, ["launchctl", "bootout", target]);
  }
  await must(context, ["launchctl", "enable", target]);
  const bootstrap = ["launchctl", "bootstrap", domain, path];
  context.say(shellCommand(bootstrap));
  // It fails with 5 while launchd still lets go of the label.
  for (let tries = 1; ; tries += 1) {
    const { exitCode } = await context.run(bootstrap);
    if (exitCode === 0) return;
    if (tries === 10) throw failed(bootstrap, exitCode);
    await wait(300);
  }
}

async function isLoaded({ run }: InstallContext, target: string): Promise<boolean> {
  return (await run(["launchctl", "print", target])).exitCode === 0;
}

function systemctl({ scope }: Pick<ServiceOptions, "scope">): readonly string[] {
  return scope === "user" ? ["systemctl", "--user"] : ["systemctl"];
}

function domainOf({ scope }: Pick<ServiceOptions, "scope">, { uid }: InstallContext): string {
  return scope === "system" ? "system" : `gui/${uid}`;
}

function directoryOf(
  { scope, home }: Pick<ServiceOptions, "scope" | "home">,
  platform: InstallContext["platform"],
): string {
  if (platform === "darwin")
    return scope === "system" ? "/Library/LaunchDaemons" : `${home}/Library/LaunchAgents`;
  return scope === "system" ? "/etc/systemd/system" : `${home}/.config/systemd/user`;
}

function assertRights({ scope }: ServiceOptions, { uid, testOnlyDirectory }: InstallContext): void {
  if (scope !== "system" || uid === 0 || testOnlyDirectory !== undefined) return;
  throw new LockstepError("TARGET_PERMISSION", "Only root may install a service of the whole system.", {
    hint: "Repeat with sudo, or install for your user alone: lockstep agent install --user",
  });
}

async function must({ run, say }: InstallContext, argv: readonly string[]): Promise<void> {
  say(shellCommand(argv));
  const { exitCode } = await run(argv);
  if (exitCode !== 0) throw failed(argv, exitCode);
}

function failed(argv: readonly string[], exitCode: number | null): LockstepError {
  const how = exitCode === null ? "could not be started" : `ended with ${exitCode}`;
  return new LockstepError(
    "ACTIVATION_FAILED",
    `Cannot install the agent: \`${shellCommand(argv)}\` ${how}.`,
    {
      hint: "Run that line by hand to see why, repair, then repeat; what is done already is not done twice.",
    },
  );
}

async function readOurs(path: string): Promise<string | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new LockstepError("TARGET_PERMISSION", `Cannot read ${path}.`, {
      hint: "Repeat with the rights to do so.",
    });
  }
  if (text.slice(0, 600).includes(OURS)) return text;
  throw new LockstepError("ALREADY_EXISTS", `${path} is there, and was not written by lockstep.`, {
    hint: "Move it away, or keep running the agent by it.",
  });
}

async function replaceFile({ path, content, mode }: ServicePlan): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch {
    await rm(temporary, { force: true });
    throw new LockstepError("TARGET_PERMISSION", `Cannot write ${path}.`, {
      hint: "Repeat with the rights to do so.",
    });
  }
}
