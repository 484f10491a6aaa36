/**
 * Starts the agents' listener where one is configured, and finds what agents recognise it by: a certificate of the
 * operator's, which is checked as usual and read anew when its file changes, or the store's own, whose key they pin.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { unwatchFile, watchFile } from "node:fs";
import { hostname } from "node:os";
import { makeSelfSigned } from "../adapters/crypto/self-signed.ts";
import { openListenerKey } from "../app/agents/bundle/listener-key.ts";
import type { AppContext } from "../app/base/context.ts";
import { isRingAway, LockstepError, toLockstepError } from "../core/errors.ts";
import { createAgentServer } from "../edges/http/agents/server.ts";
import { hostInUrl } from "../edges/http/listener.ts";
import type { AgentListenerAddress } from "../edges/http/routes.ts";
import { pause } from "../lib/pause.ts";
import type { AgentListenerSettings } from "../settings/agent-listener.ts";
import { readSettingFile } from "../settings/env-variables.ts";
import { readAgentProgram } from "./agent-program-files.ts";

export interface StartedAgentListener extends AgentListenerAddress {
  /** False: it begins when the key ring comes, and its address is refused until then. */
  isListening(): boolean;
  close(): Promise<void>;
}

interface Credentials {
  readonly cert: string;
  readonly key: string;
}

const TRY_AGAIN_MS = 1_000;
const LOOK_AT_FILES_MS = 60_000;
/** A certificate with its whole chain. */
const MAX_PEM_BYTES = 1024 * 1024;

/** Throws SETTING_INVALID. While the key ring is away the listener's own key cannot be had: then it begins when the ring comes. */
export async function startAgentListener(
  context: AppContext,
  settings: AgentListenerSettings,
): Promise<StartedAgentListener> {
  try {
    return await startNow(context, settings);
  } catch (error) {
    const failure = toLockstepError(error);
    if (!isRingAway(failure)) throw error;
    context.log.error("agents are not served yet", { code: failure.code, reason: failure.message });
    return startLater(context, settings, failure);
  }
}

function startLater(
  context: AppContext,
  settings: AgentListenerSettings,
  first: LockstepError,
): StartedAgentListener {
  const stopping = new AbortController();
  let started: StartedAgentListener | null = null;
  let failure = first;
  const listening = (async () => {
    while (started === null) {
      await pause(TRY_AGAIN_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        started = await startNow(context, settings);
        context.log.info("agents are served", { url: started.url });
      } catch (error) {
        failure = toLockstepError(error);
        if (!isRingAway(failure))
          context.log.error("agents are not served", { code: failure.code, reason: failure.message });
      }
    }
  })();
  const known = (): StartedAgentListener => {
    if (started === null) throw failure;
    return started;
  };
  return {
    get url() {
      return known().url;
    },
    get tlsKeyDigest() {
      return known().tlsKeyDigest;
    },
    get program() {
      return known().program;
    },
    isListening: () => started !== null,
    close: async () => {
      stopping.abort();
      await listening;
      await started?.close();
    },
  };
}

async function startNow(context: AppContext, settings: AgentListenerSettings): Promise<StartedAgentListener> {
  const { tls } = settings;
  const credentials = tls.kind === "off" ? null : await credentialsOf(context, tls);
  const program = await readAgentProgram();
  const server = createAgentServer({
    context,
    tls: credentials,
    program,
    trustedProxies: settings.trustedProxies,
  });
  const port = await server.listen(settings.address, settings.port);
  const stopWatching =
    tls.kind === "files"
      ? watchCertificate(tls.certificateFile, () => {
          try {
            server.setTls(readCredentials(tls));
            context.log.info("agents' certificate renewed");
          } catch {
            context.log.error("agents' certificate cannot be read; the one before stays in use");
          }
        })
      : () => undefined;
  return {
    url: settings.url ?? urlOf(settings, port),
    tlsKeyDigest: tls.kind === "self-signed" && credentials !== null ? keyDigest(credentials.cert) : null,
    program: program?.offer ?? null,
    isListening: () => true,
    close: async () => {
      stopWatching();
      await server.close();
    },
  };
}

async function credentialsOf(
  context: AppContext,
  tls: Exclude<AgentListenerSettings["tls"], { kind: "off" }>,
): Promise<Credentials> {
  if (tls.kind === "files") return readCredentials(tls);
  const { certificatePem, privateKeyPem } = await openListenerKey(context, () =>
    makeSelfSigned(context.clock.now()),
  );
  return { cert: certificatePem, key: privateKeyPem.reveal() };
}

/** The key must be the certificate's: a listener that nobody can talk to would only be noticed from afar. */
function readCredentials({
  certificateFile,
  keyFile,
}: {
  certificateFile: string;
  keyFile: string;
}): Credentials {
  const cert = readSettingFile("LOCKSTEP_AGENT_TLS_CERT_FILE", certificateFile, MAX_PEM_BYTES);
  const key = readSettingFile("LOCKSTEP_AGENT_TLS_KEY_FILE", keyFile, MAX_PEM_BYTES);
  let fits = false;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // Told below, without the library's words.
  }
  if (fits) return { cert, key };
  throw invalid(
    "LOCKSTEP_AGENT_TLS_KEY_FILE",
    `${keyFile} holds no key for the certificate ${certificateFile}`,
  );
}

/** By looking now and then: renewals replace the file, often through a link, which tells a watcher nothing. */
function watchCertificate(file: string, changed: () => void): () => void {
  watchFile(file, { interval: LOOK_AT_FILES_MS, persistent: false }, changed);
  return () => unwatchFile(file, changed);
}

/** Where nothing is told: the address that is listened on, or this machine's name for all of its addresses. */
function urlOf({ address, tls }: AgentListenerSettings, port: number): string {
  const isEvery = address === "0.0.0.0" || address === "::";
  return `${tls.kind === "off" ? "http" : "https"}://${isEvery ? hostname().toLowerCase() : hostInUrl(address)}:${port}`;
}

function keyDigest(certificatePem: string): string {
  const key = new X509Certificate(certificatePem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64url");
}

function invalid(setting: string, state: string): LockstepError {
  return new LockstepError("SETTING_INVALID", `Cannot start: ${setting}: ${state}.`, {
    details: { setting },
  });
}
