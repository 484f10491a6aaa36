/** Starts a role: context, edges, and the files by which the local command line finds the server. */
import { randomBytes } from "node:crypto";
import { readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { claimListener } from "../adapters/outgoing/own-listeners.ts";
import type { AppContext } from "../app/base/context.ts";
import { authenticateToken } from "../app/tokens/authenticate-token.ts";
import { createToken } from "../app/tokens/create-token.ts";
import { LOCAL_ADMIN_SCOPES } from "../core/access/permissions.ts";
import { SecretValue } from "../core/secret-value.ts";
import { startMetricsListener } from "../edges/http/metrics.ts";
import { createHttpServer, type HttpServer } from "../edges/http/server.ts";
import { startWorker } from "../edges/worker/worker.ts";
import { ADMIN_TOKEN_FILE, SERVER_FILE, serverFile } from "../protocol/local-line.ts";
import type { Settings } from "../settings/settings.ts";
import { type Composed, composeContext, type Role } from "./compose.ts";
import { startAgentListener } from "./start-agent-listener.ts";

export interface Started {
  /** Null for roles without an API. */
  readonly url: string | null;
  readonly dataDirectory: string;
  readonly adminTokenFile: string | null;
  /** What agents dial; null: they are not served. */
  readonly agentUrl: string | null;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly role: Role;
  readonly settings: Settings;
  readonly version: string;
}

export async function startProcess({ role, settings, version }: StartOptions): Promise<Started> {
  const composed = await composeContext(role, settings, { release: version });
  const undo: (() => Promise<void>)[] = [() => composed.close()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const served = role === "up" || role === "server" ? await serve(composed, settings, version, undo) : null;
    if (role === "up" || role === "worker") {
      const worker = await startWorker(composed.context, { concurrency: settings.workerConcurrency });
      undo.push(() => worker.close());
    }
    if (role === "worker" && settings.metricsListener !== null)
      await showMetrics(composed, settings, settings.metricsListener, undo);
    return {
      url: served?.url ?? null,
      dataDirectory: settings.dataDirectory,
      adminTokenFile: served?.adminTokenFile ?? null,
      agentUrl: served?.agentUrl ?? null,
      close,
    };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/** Where there is an API, it shows them: a process has one place for it. */
async function showMetrics(
  { context }: Composed,
  { allowedHosts, trustedProxies }: Settings,
  { address, port }: NonNullable<Settings["metricsListener"]>,
  undo: (() => Promise<void>)[],
): Promise<void> {
  const listener = await startMetricsListener({
    context,
    settings: { address, port, allowedHosts, trustedProxies },
  });
  undo.push(() => listener.close());
  const release = claimListener({ host: address, port: listener.port });
  undo.push(async () => release());
  context.log.info("metrics are shown", { address, port: listener.port });
}

async function serve(
  { context }: Composed,
  settings: Settings,
  version: string,
  undo: (() => Promise<void>)[],
): Promise<{ readonly url: string; readonly adminTokenFile: string; readonly agentUrl: string | null }> {
  const agentListener = settings.agents === null ? null : await startAgentListener(context, settings.agents);
  if (agentListener !== null) undo.push(() => agentListener.close());
  const server: HttpServer = createHttpServer({ context, settings, version, agentListener });
  undo.push(() => server.close());
  const { url } = await server.listen(settings.port);
  const release = claimListener({ host: settings.listenAddress, port: Number(new URL(url).port) });
  undo.push(async () => release());
  const adminTokenFile = await ensureAdminToken(context, settings.dataDirectory);
  const directory = await realpath(settings.dataDirectory);
  const file = join(directory, SERVER_FILE);
  const socket = await server.openLocalLine(directory, await socketIn(file));
  await replaceFile(file, `${JSON.stringify({ url, socket })}\n`);
  undo.push(() => rm(file, { force: true }));
  return { url, adminTokenFile, agentUrl: agentListener?.isListening() === true ? agentListener.url : null };
}

/** Of the server that ran here before, and may still; null: none is known. */
async function socketIn(file: string): Promise<string | null> {
  try {
    return serverFile.parse(JSON.parse(await readFile(file, "utf8"))).socket;
  } catch {
    return null;
  }
}

/** Whole or not at all, and never through a link. */
async function replaceFile(path: string, text: string): Promise<void> {
  const prepared = `${path}.${randomBytes(8).toString("hex")}`;
  await writeFile(prepared, text, { mode: 0o600, flag: "wx" });
  await rename(prepared, path);
}

/** The local administrator's token, in a file that only this user reads. A revoked or foreign one is replaced. */
async function ensureAdminToken(context: AppContext, dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, ADMIN_TOKEN_FILE);
  if (await stillValid(context, path)) return path;
  const actor = { kind: "system", id: "start", name: "lockstep" } as const;
  const { token } = await createToken(context, actor, {
    name: "local admin",
    scopes: LOCAL_ADMIN_SCOPES,
    expiresInMs: null,
  });
  await replaceFile(path, `${token.reveal()}\n`);
  return path;
}

async function stillValid(context: AppContext, path: string): Promise<boolean> {
  try {
    await authenticateToken(context, SecretValue.of((await readFile(path, "utf8")).trim()));
    return true;
  } catch {
    return false;
  }
}
