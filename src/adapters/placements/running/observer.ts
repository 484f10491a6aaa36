/**
 * Tells which versions the living process of a host's unit was started with, over any `Host`: by digests under a nonce
 * that is used once, compared in constant time. Where a file may be read by the program itself, a key that its
 * environment lacks says nothing.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Host, ProcessSeen } from "../../../core/ports/host.ts";
import type {
  RunningAnswer,
  RunningFound,
  RunningKeyQuestion,
  RunningObserver,
  RunningQuestion,
} from "../../../core/ports/running.ts";
import type { Activation } from "../activation/config.ts";
import type { PlacedFile } from "../placement.ts";
import { canBeEnvironment, isEnvironment, processOf } from "./environment.ts";

export function createHostObserver(
  host: Host,
  activate: Activation | null,
  files: readonly PlacedFile[],
): RunningObserver {
  return {
    async observe(questions, signal) {
      const answers: RunningAnswer[] = [];
      for (const question of questions) answers.push(await lookAt(host, activate, files, question, signal));
      return answers;
    },
  };
}

async function lookAt(
  host: Host,
  activate: Activation | null,
  files: readonly PlacedFile[],
  { keys }: RunningQuestion,
  signal: AbortSignal,
): Promise<RunningAnswer> {
  if (activate === null) return { state: "cannot-tell", reason: "nothing says which process uses the files" };
  const found = processOf(activate);
  if (!found.named) return { state: "cannot-tell", reason: found.reason };
  const asked = keys.map((key) => ({ key, file: files.find(({ path }) => path === key.placement) }));
  const visible = asked.filter(({ file }) => file !== undefined && canBeEnvironment(file.format));
  if (visible.length === 0 && keys.length > 0) return { state: "cannot-tell", reason: READ_BY_ITSELF };
  const nonce = randomBytes(32).toString("hex");
  const names = [...new Set(visible.map(({ key }) => key.key))];
  const seen = await host.lookIntoProcess({ process: found.process, keys: names, nonce }, signal);
  switch (seen.state) {
    case "none":
      return { state: "dormant" };
    case "changing":
    case "cannot-tell":
      return seen;
    case "seen":
      return {
        state: "running",
        instances: [
          {
            id: `${seen.life.bootId}/${seen.life.pid}/${seen.life.startedAt}`,
            incarnation: { ...seen.life },
            keys: asked.map(({ key, file }) => judge(seen, nonce, key, file)),
          },
        ],
      };
  }
}

const READ_BY_ITSELF =
  "the process reads this file itself; its environment does not show what it took from it";

function judge(
  { digests }: Extract<ProcessSeen, { readonly state: "seen" }>,
  nonce: string,
  { key, candidates }: RunningKeyQuestion,
  file: PlacedFile | undefined,
): RunningFound {
  if (file === undefined || !canBeEnvironment(file.format))
    return { state: "unreadable", reason: READ_BY_ITSELF };
  const digest = digests.get(key);
  if (digest === undefined) {
    if (isEnvironment(file)) return { state: "absent" };
    return {
      state: "unreadable",
      reason: `the process was started without ${key}, and may have read the file itself; say \`asEnvironment: true\` if it does not`,
    };
  }
  const held = Buffer.from(digest, "hex");
  let newest: number | null = null;
  // Every candidate is compared, so that the time tells nothing about which one it was.
  for (const [version, value] of candidates) {
    const wanted = createHash("sha256").update(nonce).update(value.reveal()).digest();
    if (timingSafeEqual(wanted, held) && (newest === null || version > newest)) newest = version;
  }
  return newest === null ? { state: "unknown" } : { state: "version", version: newest };
}
