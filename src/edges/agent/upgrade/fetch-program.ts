/**
 * What the server offers as the agent's program, and its bytes. Nothing of either is believed before it is checked: the
 * offer by the key that this agent pinned when it enrolled, for this agent, this store and this very request; the bytes by
 * the offer's digest and length, while they come.
 */
import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { LockstepError } from "../../../core/errors.ts";
import { openMessage } from "../../../protocol/agent/envelope.ts";
import { programPath } from "../../../protocol/agent/paths.ts";
import { offeredProgram, type ProgramFile, type ProgramOffer } from "../../../protocol/agent/program.ts";
import { assertAccepted } from "../client/answers.ts";
import type { AgentClient } from "../client/client.ts";
import type { Transport } from "../client/transport.ts";
import type { Identity } from "../identity/identity.ts";

const ANSWER_WITHIN_MS = 15_000;
/** Without a byte. */
const SILENT_MS = 30_000;

/** Throws PROGRAM_REFUSED, UNSUPPORTED of a server that has none, and what the client throws. */
export async function fetchOffer(
  client: AgentClient,
  identity: Identity,
  signal: AbortSignal,
): Promise<ProgramOffer> {
  const nonce = randomBytes(16).toString("base64url");
  const sealed = await client.program(nonce, signal).catch((error: unknown) => {
    if (!(error instanceof LockstepError) || error.code !== "NOT_FOUND") throw error;
    throw new LockstepError("UNSUPPORTED", "The server offers no program for agents.", {
      hint: "It is older, or was not built with `npm run build`. Nothing was changed here.",
    });
  });
  const { encryptKey, bundleKey, agentId, storeId } = identity;
  const opened = offeredProgram.safeParse(
    await openMessage(sealed, { decryptWith: encryptKey, signedBy: bundleKey }),
  );
  if (!opened.success) throw refused("its offer is not signed by the key that this agent pinned");
  const { data } = opened;
  if (data.agentId !== agentId || data.storeId !== storeId) throw refused("its offer is for another agent");
  if (data.nonce !== nonce) throw refused("its offer is a copy of an older one");
  return { release: data.release, files: data.files };
}

/** Into a file that is not there yet. Throws PROGRAM_REFUSED, SERVER_UNREACHABLE, TARGET_PERMISSION. */
export async function fetchProgram(
  transport: Transport,
  { sha256, bytes }: ProgramFile,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const answer = await transport.send({
    method: "GET",
    path: programPath(sha256),
    headers: { accept: "application/octet-stream" },
    body: null,
    timeoutMs: ANSWER_WITHIN_MS,
    signal,
  });
  await assertAccepted(answer, ANSWER_WITHIN_MS);
  const { stream } = answer;
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(path, "wx", 0o600).catch(() => {
    stream.destroy();
    throw new LockstepError("TARGET_PERMISSION", `Cannot write ${path}.`, {
      hint: "Repeat with the rights to do so.",
    });
  });
  const onAbort = (): void => void stream.destroy(new Error("interrupted"));
  signal.addEventListener("abort", onAbort, { once: true });
  const silence = setTimeout(onAbort, SILENT_MS);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      silence.refresh();
      size += chunk.length;
      if (size > bytes) throw refused("it sends more than it offered");
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    throw new LockstepError("SERVER_UNREACHABLE", "The program came only in part: the line was cut.", {
      hint: "Nothing was changed here. Try again.",
    });
  } finally {
    clearTimeout(silence);
    signal.removeEventListener("abort", onAbort);
    stream.destroy();
    await file.close();
  }
  if (size !== bytes) throw refused("it sends less than it offered");
  if (hash.digest("hex") !== sha256) throw refused("what it sends has another digest than it signed");
}

export function refused(why: string): LockstepError {
  return new LockstepError("PROGRAM_REFUSED", `Cannot take the program that the server offers: ${why}.`);
}
