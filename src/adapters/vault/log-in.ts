/**
 * Shows the server who we are, once per call: a token as it was given, or what AppRole gives for a role id and a secret
 * id. Secret ids are told to nobody, and a refusal says what a person can do about it.
 *
 * A secret id may be good for one log-in. When the answer to that one is lost, the id is spent: the next refusal says so.
 */
import { z } from "zod";
import { SecretValue } from "../../core/secret-value.ts";
import { readCredentialFile } from "./credential-file.ts";
import { failureOf, mayBeDeadToken } from "./errors.ts";
import { VaultFailure } from "./failure.ts";
import { segmentsOf } from "./paths.ts";
import type { RawAnswer } from "./request-builder.ts";
import { type Grant, grantOf, grantOfLookup, madeForMs, tokenOf } from "./token-forms.ts";
import type { VaultCall, VaultCredential, VaultServer } from "./vault.ts";

/** One request as it is, whatever comes of it. Throws VaultFailure where no answer came. */
export type AskRaw = (call: VaultCall, token: SecretValue | null, signal: AbortSignal) => Promise<RawAnswer>;

export interface LoggedIn {
  readonly grant: Grant;
  /** What renewals ask for; null: what the server gives. */
  readonly askMs: number | null;
}

const SPENT =
  "; a secret id that is good for one log-in is spent by a try whose answer was lost: give a new one, best without a limit of uses and bound to this address instead";

export interface LogInOptions {
  readonly server: VaultServer;
  readonly credential: VaultCredential;
  readonly ask: AskRaw;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of each credential that is learned on the way. */
  readonly onSecret: (secret: SecretValue) => void;
}

type AppRole = Extract<VaultCredential, { kind: "approle" }>;
type Wrapped = Extract<AppRole["secretId"], { kind: "wrapped" }>;

const wrapInfo = z.object({ data: z.object({ creation_path: z.string() }) });
const unwrapped = z.object({ data: z.object({ secret_id: z.string().min(1) }) });

export class LogIn {
  readonly #server: VaultServer;
  readonly #credential: VaultCredential;
  readonly #ask: AskRaw;
  readonly #now: () => number;
  readonly #onSecret: (secret: SecretValue) => void;
  #unwrapped: SecretValue | null = null;
  #isKept = false;
  #lostLogIn = false;
  #lostUnwrap = false;

  constructor({ server, credential, ask, now, onSecret }: LogInOptions) {
    this.#server = server;
    this.#credential = credential;
    this.#ask = ask;
    this.#now = now;
    this.#onSecret = onSecret;
  }

  /** Whether another try could give another token than the one that is held. */
  get givesNewTokens(): boolean {
    return this.#credential.kind !== "token";
  }

  /** Whether it goes on after a token's end without anybody's hand. */
  get outlivesTokens(): boolean {
    return this.#credential.kind === "approle";
  }

  /** What may have been replaced since; null: nothing can be. Throws VaultFailure. */
  async fileText(): Promise<string | null> {
    if (this.#credential.kind === "token-file") return await readCredentialFile(this.#credential.path);
    if (this.#credential.kind !== "approle" || this.#credential.secretId.kind !== "file") return null;
    return await readCredentialFile(this.#credential.secretId.path);
  }

  /** Throws VaultFailure: `token` or `login` where a person must act. */
  async run(signal: AbortSignal): Promise<LoggedIn> {
    const credential = this.#credential;
    switch (credential.kind) {
      case "token":
        return await this.#known(tokenOf(credential.token.reveal()), signal);
      case "token-file":
        return await this.#known(this.#learned(tokenOf(await readCredentialFile(credential.path))), signal);
      case "approle":
        return await this.#appRole(credential, signal);
    }
  }

  /** A token that somebody else made: what it is good for, it says itself. */
  async #known(token: SecretValue, signal: AbortSignal): Promise<LoggedIn> {
    const answer = await this.#ask(LOOKUP_SELF, token, signal);
    if (mayBeDeadToken(answer))
      throw new VaultFailure(
        "token",
        "the token is not accepted: it has ended, was revoked, or is another server's; give a new one",
        { status: answer.status },
      );
    const failure = failureOf(answer, false);
    if (failure?.verdict === "permission") return { grant: unknownGrant(token, this.#now()), askMs: null };
    if (failure !== null) throw failure;
    return { grant: grantOfLookup(token, answer.body, this.#now()), askMs: madeForMs(answer.body) };
  }

  async #appRole(credential: AppRole, signal: AbortSignal): Promise<LoggedIn> {
    const secretId = await this.#secretId(credential, signal);
    const call: VaultCall = {
      method: "POST",
      path: ["auth", ...segmentsOf(credential.mount), "login"],
      body: { role_id: credential.roleId.reveal(), secret_id: secretId.reveal() },
      writes: true,
    };
    const answer = await this.#ask(call, null, signal).catch((error: unknown) => {
      throw this.#lost(error, "log-in");
    });
    const failure = failureOf(answer, true);
    if (failure !== null) throw this.#refusedLogIn(failure, answer);
    this.#lostLogIn = false;
    const grant = grantOf(answer.body, this.#now());
    this.#learned(grant.token);
    return { grant, askMs: grant.lifeMs };
  }

  async #secretId({ secretId, mount }: AppRole, signal: AbortSignal): Promise<SecretValue> {
    if (secretId.kind === "plain") return secretId.secretId;
    if (secretId.kind === "file")
      return this.#learned(SecretValue.of(await readCredentialFile(secretId.path)));
    this.#unwrapped ??= await this.#unwrap(secretId, mount, signal);
    if (!this.#isKept) await secretId.keep(this.#unwrapped);
    this.#isKept = true;
    return this.#unwrapped;
  }

  /** First where it comes from, which can be asked often; then once what is in it. */
  async #unwrap({ token, role }: Wrapped, mount: string, signal: AbortSignal): Promise<SecretValue> {
    const looked = await this.#ask(
      {
        method: "POST",
        path: ["sys", "wrapping", "lookup"],
        body: { token: token.reveal() },
        writes: false,
      },
      null,
      signal,
    );
    const unknown = failureOf(looked, false);
    if (unknown !== null) throw this.#refusedUnwrap(unknown);
    const from = wrapInfo.safeParse(looked.body).data?.data.creation_path;
    const expected = `auth/${mount}/role/${role}/secret-id`;
    if (from !== expected && from !== `${this.#server.namespace ?? ""}/${expected}`)
      throw new VaultFailure(
        "login",
        `the wrapping token does not hold a secret id of the role (${expected}): do not use it, and find out who gave it`,
      );
    const answer = await this.#ask(
      { method: "POST", path: ["sys", "wrapping", "unwrap"], writes: true },
      tokenOf(token.reveal()),
      signal,
    ).catch((error: unknown) => {
      throw this.#lost(error, "unwrapping");
    });
    const failure = failureOf(answer, true);
    if (failure !== null) throw this.#refusedUnwrap(failure);
    const secretId = unwrapped.safeParse(answer.body).data?.data.secret_id;
    if (secretId === undefined)
      throw new VaultFailure("login", "what was wrapped is no secret id: wrap one, and give it anew");
    return this.#learned(SecretValue.of(secretId));
  }

  #learned(secret: SecretValue): SecretValue {
    this.#onSecret(secret);
    return secret;
  }

  #lost(error: unknown, what: "log-in" | "unwrapping"): unknown {
    if (!(error instanceof VaultFailure) || error.verdict !== "outcome-unknown") return error;
    return this.#markLost(error, what);
  }

  /** Tried again by itself: only a secret id for one use is spent by it. */
  #markLost({ status }: VaultFailure, what: "log-in" | "unwrapping"): VaultFailure {
    if (what === "log-in") this.#lostLogIn = true;
    else this.#lostUnwrap = true;
    const words =
      what === "log-in" ? "the answer to the log-in was lost" : "the unwrapped secret id was lost";
    return new VaultFailure("later", `${words}, and it is not known whether it was done${SPENT}`, { status });
  }

  #refusedLogIn(failure: VaultFailure, answer: RawAnswer): VaultFailure {
    if (failure.verdict === "outcome-unknown") return this.#markLost(failure, "log-in");
    const isRefusal =
      answer.status === 400 ||
      answer.status === 403 ||
      ["absent", "token", "permission"].includes(failure.verdict);
    if (!isRefusal || ["later", "mount", "namespace"].includes(failure.verdict)) return failure;
    const reason =
      "AppRole refused the log-in: the role id or the secret id is wrong, has ended or is used up, or this address may not use it";
    return new VaultFailure("login", `${reason}${this.#lostLogIn ? SPENT : ""}`, { status: answer.status });
  }

  #refusedUnwrap(failure: VaultFailure): VaultFailure {
    if (failure.verdict === "outcome-unknown") return this.#markLost(failure, "unwrapping");
    if (failure.verdict === "later" || failure.verdict === "rate-limited") return failure;
    const reason = this.#lostUnwrap
      ? `the wrapped secret id cannot be unwrapped again${SPENT}`
      : "the wrapping token was used already, or has ended: unless a try of Lockstep's own was cut off, somebody else unwrapped it; destroy that secret id and find out who";
    return new VaultFailure("login", reason, { status: failure.status });
  }
}

export const LOOKUP_SELF: VaultCall = {
  method: "GET",
  path: ["auth", "token", "lookup-self"],
  writes: false,
};

/** It may not ask about itself: it is used until it is refused. */
function unknownGrant(token: SecretValue, nowMs: number): Grant {
  return {
    token,
    lifeMs: null,
    grantedAtMs: nowMs,
    renewable: false,
    madeAtMs: null,
    endsForGoodAtMs: null,
    kind: "service",
    usesLeft: 0,
  };
}
