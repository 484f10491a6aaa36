/** The line to one Vault or OpenBao server: kept connections, the own token, and answers judged. */
import { randomBytes } from "node:crypto";
import type { SecretValue } from "../../core/secret-value.ts";
import { isLoopbackHost } from "../../lib/addresses.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { type Connect, createDial } from "../outgoing/dial.ts";
import { Unanswered } from "../outgoing/kept-line.ts";
import { KeptLines } from "../outgoing/kept-lines.ts";
import { claimedListeners } from "../outgoing/own-listeners.ts";
import { pauseBy, systemClock, type VaultClock } from "./clock.ts";
import { failureOf, isObject, lostAnswer, mayBeBehind, mayBeDeadToken } from "./errors.ts";
import { VaultFailure } from "./failure.ts";
import { LOOKUP_SELF, LogIn } from "./log-in.ts";
import { readJson } from "./read-json.ts";
import { type BuildRequest, createRequestBuilder, type RawAnswer, type Send } from "./request-builder.ts";
import { ownTokenOf } from "./token-forms.ts";
import type { TokenHealth } from "./token-health.ts";
import { TokenHolder } from "./token-holder.ts";
import type { OwnToken, Vault, VaultAnswer, VaultCall, VaultCredential, VaultServer } from "./vault.ts";

export interface VaultOptions {
  readonly server: VaultServer;
  readonly credential: VaultCredential;
  /** Default: the system's names, and no listener of this process's own. */
  readonly connect?: Connect;
  readonly clock?: VaultClock;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly requestTimeoutMs?: number;
  /** Told of each credential that is learned on the way: tokens, and what stands in files. For whoever hides them from a log. */
  readonly onSecret?: (secret: SecretValue) => void;
}

/** With what its owner needs: it is closed at the end, and its token watched. */
export interface OpenVault extends Vault {
  readonly health: TokenHealth;
  /** Ends lines and timers. What is asked afterwards begins anew. */
  close(): void;
}

const REQUEST_TIMEOUT_MS = 15_000;
/** As much as the server itself takes. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const MAX_TRIES = 3;
/** How long another node may not know of a log-in, and how long we wait in all. */
const FRESH_MS = 2_000;
const MAX_INDEX_CHARS = 1_024;

/** All that are open, for a process's end. */
const open = new Set<OpenVault>();

/** Idle lines would hold a process for half a minute. What is asked afterwards has lines of its own. */
export async function closeVaultLines(): Promise<void> {
  for (const vault of open) vault.close();
}

/** Asks nobody yet. Throws VaultFailure for an address that would send tokens in the clear. */
export function createVault(options: VaultOptions): OpenVault {
  const vault = new VaultLine(options);
  return vault;
}

class VaultLine implements OpenVault {
  readonly server: VaultServer;
  readonly #clock: VaultClock;
  readonly #random: () => number;
  readonly #timeoutMs: number;
  readonly #lines: KeptLines;
  readonly #tokens: TokenHolder;
  #builder: Promise<BuildRequest> | null = null;
  #namespace: Promise<void> | null = null;
  /** Of our last write: a node that has not come so far says so instead of answering what was. */
  #index: string | null = null;

  constructor({
    server,
    credential,
    connect,
    clock = systemClock,
    random = Math.random,
    ...rest
  }: VaultOptions) {
    this.server = server;
    this.#clock = clock;
    this.#random = random;
    this.#timeoutMs = rest.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#lines = new KeptLines({
      connect: connect ?? createDial({ ownListeners: claimedListeners }),
      url: originOf(server.address),
      caCertificate: server.caCertificate ?? undefined,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    const ask = (call: VaultCall, token: SecretValue | null, signal: AbortSignal) =>
      this.#ask(call, token, signal);
    this.#tokens = new TokenHolder({
      logIn: new LogIn({
        server,
        credential,
        ask,
        now: () => clock.now(),
        onSecret: rest.onSecret ?? (() => undefined),
      }),
      ask,
      clock,
      random,
    });
  }

  get health(): TokenHealth {
    return this.#tokens.health;
  }

  close(): void {
    open.delete(this);
    this.#tokens.close();
    this.#lines.close();
  }

  async call(call: VaultCall, signal: AbortSignal): Promise<VaultAnswer> {
    const answer = await this.#asked(call, signal);
    if (isOwnAnswer(call, answer))
      return { status: answer.status, body: answer.body ?? null, text: answer.text };
    const failure = failureOf(answer, call.writes);
    if (failure?.verdict === "permission") throw this.#lacksRight(call);
    throw failure ?? new VaultFailure("protocol", "what answered is not Vault's API");
  }

  #lacksRight({ method, path }: VaultCall): VaultFailure {
    const at = { method, path, namespace: this.server.namespace };
    return new VaultFailure("permission", "the token's policies lack a right for this path", {
      status: 403,
      at,
    });
  }

  async lookupSelf(signal: AbortSignal): Promise<OwnToken> {
    return ownTokenOf((await this.call(LOOKUP_SELF, signal)).body, this.#clock.now());
  }

  /** Again where a node did not know of a log-in yet, and once with another token where ours is dead: nothing was done then. */
  async #asked(call: VaultCall, signal: AbortSignal): Promise<RawAnswer> {
    open.add(this);
    let hasLoggedInAnew = false;
    let tries = 0;
    for (;;) {
      tries += 1;
      const held = await this.#tokens.current(signal);
      await this.#assertNamespace(held.grant.token, signal);
      const answer = await this.#ask(call, held.grant.token, signal);
      const isFresh = this.#clock.now() - held.obtainedAtMs < FRESH_MS;
      if (tries < MAX_TRIES && mayBeBehind(answer) && (isFresh || answer.status === 412)) {
        await pauseBy(this.#clock, (FRESH_MS / MAX_TRIES) * (1 - this.#random() / 2), signal);
        if (!signal.aborted) continue;
      }
      if (!mayBeDeadToken(answer)) return answer;
      if (hasLoggedInAnew)
        throw new VaultFailure("token", "a new token is not accepted either", { status: 403 });
      if (!(await this.#tokens.isDead(held, signal))) throw this.#lacksRight(call);
      hasLoggedInAnew = true;
      tries = 0;
    }
  }

  /** One request. Throws VaultFailure where no answer came. */
  async #ask(call: VaultCall, token: SecretValue | null, signal: AbortSignal): Promise<RawAnswer> {
    this.#builder ??= createRequestBuilder(this.server);
    const build = await this.#builder;
    return await this.#send(build, call, token, signal);
  }

  async #send(
    build: BuildRequest,
    call: VaultCall,
    token: SecretValue | null,
    signal: AbortSignal,
  ): Promise<RawAnswer> {
    try {
      return await withDeadline(signal, this.#timeoutMs, async (limited) => {
        const send: Send = async (request) => {
          const { status, headers, body } = await this.#lines.ask(
            { ...request, repeatable: !call.writes },
            limited,
          );
          const text = body.toString("utf8");
          return { status, headers, text, body: readJson(text) };
        };
        const answer = await build(call, { token, headers: this.#consistency(call), send });
        this.#noteIndex(answer);
        return answer;
      });
    } catch (error) {
      if (error instanceof Unanswered) throw lostAnswer(error, call.writes);
      if (error instanceof VaultFailure) throw error;
      throw new VaultFailure("protocol", "the request could not be made");
    }
  }

  #consistency(call: VaultCall): Readonly<Record<string, string>> {
    if (this.#index === null || call.writes) return {};
    return { "X-Vault-Index": this.#index, "X-Vault-Inconsistent": "forward-active-node" };
  }

  #noteIndex({ headers }: RawAnswer): void {
    const told = headers["x-vault-index"];
    if (typeof told === "string" && told.length <= MAX_INDEX_CHARS && /^[\x21-\x7e]+$/.test(told))
      this.#index = told;
  }

  /** Community editions ignore the header and use the root namespace: what is written would stand elsewhere. */
  async #assertNamespace(token: SecretValue, signal: AbortSignal): Promise<void> {
    const { namespace } = this.server;
    if (namespace === null) return;
    this.#namespace ??= this.#isNamespaceIgnored(namespace, token, signal).then((isIgnored) => {
      if (isIgnored)
        throw new VaultFailure(
          "namespace",
          "the server knows no namespaces, and would ignore the one that is set",
        );
    });
    const checked = this.#namespace;
    try {
      await checked;
    } catch (error) {
      if (this.#namespace === checked) this.#namespace = null;
      throw error;
    }
  }

  async #isNamespaceIgnored(namespace: string, token: SecretValue, signal: AbortSignal): Promise<boolean> {
    const nowhere = `${namespace}/${randomBytes(8).toString("hex")}`;
    const build = await createRequestBuilder({ ...this.server, namespace: nowhere });
    const answer = await this.#send(build, LOOKUP_SELF, token, signal);
    return answer.status === 200 && isObject(answer.body);
  }
}

function isOwnAnswer(call: VaultCall, answer: RawAnswer): boolean {
  const failure = failureOf(answer, call.writes);
  if (failure === null) return true;
  if (call.absentIsAnswer === true && failure.verdict === "absent") return true;
  const { data } = isObject(answer.body) ? answer.body : {};
  return call.batchIsAnswer === true && isObject(data) && Array.isArray(data["batch_results"]);
}

function originOf(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname));
  if (
    url !== null &&
    isSafe &&
    url.pathname === "/" &&
    url.search === "" &&
    url.hash === "" &&
    url.username === ""
  )
    return url;
  throw new VaultFailure("invalid", "the address is not https://HOST:PORT (http on this machine alone)");
}
