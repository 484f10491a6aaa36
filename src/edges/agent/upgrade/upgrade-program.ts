/**
 * Replaces the agent's program by what the server offers, and puts the old one back when the new one does not report.
 *
 *   offer checked ▸ fetched, checked ▸ starts ▸ old one kept as .before ▸ replaced ▸ restarted ▸ has reported ▸ .before gone
 *
 * Promises: at every moment a whole program stands under the name, the old one or the new one, also after `kill -9` or a
 * loss of power. While `.before` is there the upgrade has not ended: the next one first ends that, one way or the other.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, link, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { pause } from "../../../lib/pause.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import type { UpgradedProgram } from "../../../protocol/agent/on-host.ts";
import { compareReleases, type ProgramFile, type ProgramOffer } from "../../../protocol/agent/program.ts";
import { lockIdentity } from "../identity/lock.ts";
import { refused } from "./fetch-program.ts";
import { assertOnlyOurs } from "./keep-program.ts";
import type { ProgramInOneFile } from "./program-form.ts";
import { cannotWrite, digestOfFile, draftOf, isDraft, replaceBy, sync } from "./put-file.ts";

export type UpgradeCheckpoint = "fetched" | "kept" | "replaced" | "restarted" | "put-back";

export interface UpgradeParts {
  readonly own: ProgramInOneFile;
  /** Of the program that stands there now. */
  readonly release: string;
  readonly uid: number;
  /** Words that start a file: Node; none for an executable. */
  readonly interpreter: readonly string[];
  /** Both throw what does not hold; see fetch-program.ts. */
  readonly offer: (signal: AbortSignal) => Promise<ProgramOffer>;
  readonly fetch: (file: ProgramFile, path: string, signal: AbortSignal) => Promise<void>;
  /** Null: nothing of ours supervises it. */
  readonly service: { restart(): Promise<void> } | null;
  /** The life of the program that runs as the agent, whether or not it has reported; null: none. */
  readonly running: () => Promise<string | null>;
  /** Of one whose report the server has taken. */
  readonly reporting: () => Promise<string | null>;
  readonly reportWithinMs: number;
  readonly say: (line: string) => void;
  readonly checkpoint?: (point: UpgradeCheckpoint) => Promise<void>;
}

const LOOK_MS = 200;
/** The program from before worked: what it lacks is time. */
const BACK_WITHIN_MS = 60_000;
const STARTS_WITHIN_MS = 20_000;

/** Throws PROGRAM_REFUSED, UPGRADE_UNDONE, FILE_UNSAFE, TARGET_PERMISSION, AGENT_RUNNING, and what the parts throw. */
export async function upgradeProgram(
  parts: UpgradeParts,
  { allowOlder }: { readonly allowOlder: boolean },
  signal: AbortSignal,
): Promise<UpgradedProgram> {
  const directory = dirname(parts.own.path);
  assertOnlyOurs(directory, parts.uid);
  const release = await lockIdentity(directory, `the program in ${directory}`).catch((error: unknown) => {
    throw error instanceof LockstepError ? error : cannotWrite(directory);
  });
  try {
    await sweep(directory);
    await endEarlier(parts, signal);
    return await replace(parts, allowOlder, signal);
  } finally {
    await release();
  }
}

async function replace(
  parts: UpgradeParts,
  allowOlder: boolean,
  signal: AbortSignal,
): Promise<UpgradedProgram> {
  const { own, say, checkpoint } = parts;
  const offer = await parts.offer(signal);
  const file = offer.files.find(({ runsOn }) => runsOn === own.runsOn);
  if (file === undefined) {
    throw new LockstepError("UNSUPPORTED", `The server offers no program for ${own.runsOn}.`, {
      hint: "Nothing was changed here.",
    });
  }
  const done = { from: parts.release, to: offer.release, sha256: file.sha256 };
  if ((await digestOfFile(own.path)) === file.sha256) return { ...done, state: "current", restarted: false };
  if (!allowOlder && compareReleases(offer.release, parts.release) < 0) {
    throw new LockstepError(
      "PROGRAM_REFUSED",
      `Cannot take the program that the server offers: ${offer.release} is older than ${parts.release}, which stands here.`,
      { hint: "If the server was set back on purpose: `lockstep agent upgrade --allow-older`." },
    );
  }
  const draft = draftOf(own.path);
  try {
    say(`fetch ${offer.release}, sha256 ${file.sha256}`);
    await parts.fetch(file, draft, signal);
    await chmod(draft, own.runsOn === "node" ? 0o644 : 0o755);
    await assertStarts(parts, draft, offer.release);
    await checkpoint?.("fetched");
    await keepBefore(own.path);
    await checkpoint?.("kept");
    say(`replace ${own.path}`);
    await replaceBy(own.path, draft).catch(() => {
      throw cannotWrite(own.path);
    });
  } finally {
    await rm(draft, { force: true });
  }
  await checkpoint?.("replaced");
  return { ...done, state: "replaced", restarted: await tryIt(parts, signal) };
}

/** One that was broken off: what stands there is tried, and goes where it does not report. */
async function endEarlier(parts: UpgradeParts, signal: AbortSignal): Promise<void> {
  const before = beforeOf(parts.own.path);
  const kept = await digestOfFile(before);
  if (kept === null) return;
  if (kept === (await digestOfFile(parts.own.path))) return void (await rm(before, { force: true }));
  parts.say("an earlier upgrade was broken off: trying the program that it left");
  await tryIt(parts, signal);
}

/** Answers whether it was restarted. Throws UPGRADE_UNDONE. */
async function tryIt(parts: UpgradeParts, signal: AbortSignal): Promise<boolean> {
  const { own, service, say, checkpoint } = parts;
  const before = beforeOf(own.path);
  if (service === null) {
    await rm(before, { force: true });
    return false;
  }
  const why = await restartAndWait(parts, parts.reportWithinMs, signal);
  if (why === null) {
    await rm(before, { force: true });
    return true;
  }
  say(`${why}; putting the program from before back`);
  await rename(before, own.path);
  await sync(dirname(own.path));
  await checkpoint?.("put-back");
  // Whoever interrupted wants an end, and a machine without an agent is none.
  const still = await restartAndWait(parts, BACK_WITHIN_MS, new AbortController().signal);
  const tail = still === null ? "and reports again" : `but ${still}`;
  throw new LockstepError(
    signal.aborted ? "INTERRUPTED" : "UPGRADE_UNDONE",
    `The upgrade was undone: ${why}. The program from before is back, ${tail}.`,
  );
}

/** Null: it reports. Otherwise why not. */
async function restartAndWait(
  parts: UpgradeParts,
  reportWithinMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const { service, running, reporting, say, checkpoint } = parts;
  const old = await running();
  try {
    await service?.restart();
  } catch (error) {
    return `its service does not restart (${error instanceof LockstepError ? visibleLine(error.message) : "it failed"})`;
  }
  await checkpoint?.("restarted");
  say(`wait for its report, at most ${reportWithinMs / 1_000} s`);
  const deadline = performance.now() + reportWithinMs;
  for (;;) {
    const life = await reporting();
    if (life !== null && life !== old) return null;
    if (signal.aborted) return "it was interrupted";
    if (performance.now() > deadline) return `it did not report within ${reportWithinMs / 1_000} s`;
    await pause(LOOK_MS, signal);
  }
}

/** It is what was signed; a machine may still be unable to run it, for example with an older Node. */
async function assertStarts({ interpreter }: UpgradeParts, path: string, expected: string): Promise<void> {
  const [program = path, ...words] = [...interpreter, path];
  const child = spawn(program, [...words, "--version"], {
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["ignore", "pipe", "ignore"],
    timeout: STARTS_WITHIN_MS,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString("latin1")}`.slice(0, 200);
  });
  const ended = await once(child, "close").then(
    ([code]) => code === 0,
    () => false,
  );
  if (!ended || said.trim() !== expected) throw refused("it does not start on this machine");
}

/** Whole when it has its name, also where a file cannot have two. */
async function keepBefore(path: string): Promise<void> {
  const before = beforeOf(path);
  try {
    await link(path, before).catch(async () => {
      const draft = draftOf(path);
      await copyFile(path, draft);
      await replaceBy(before, draft);
    });
    await sync(dirname(path));
  } catch {
    throw cannotWrite(before);
  }
}

export function beforeOf(path: string): string {
  return `${path}.before`;
}

async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (isDraft(name)) await rm(join(directory, name), { force: true });
}
