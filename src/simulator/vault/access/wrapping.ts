/** Answers kept behind a token that opens them once. */
import { randomBytes } from "node:crypto";
import { goTime, type VaultClock } from "../clock.ts";
import type { Features } from "../modes.ts";
import { type Json, Refused } from "../wire/reply.ts";

interface Wrapped {
  readonly answer: Json;
  readonly creationPath: string;
  readonly creationTime: string;
  readonly ttlSeconds: number;
  readonly expiresMs: number;
}

const INVALID = "wrapping token is not valid or does not exist";

export class Wrapping {
  readonly #wrapped = new Map<string, Wrapped>();
  readonly #features: Features;
  readonly #clock: VaultClock;

  constructor(features: Features, clock: VaultClock) {
    this.#features = features;
    this.#clock = clock;
  }

  /** What is answered instead. `wrappedAccessor`: of a token that is inside. */
  wrap(answer: Json, creationPath: string, ttlSeconds: number, wrappedAccessor: string | undefined): Json {
    const now = this.#clock.now();
    const token = this.#features.serviceTokenPrefix + randomBytes(18).toString("base64url");
    const creationTime = goTime(now);
    const expiresMs = now.getTime() + ttlSeconds * 1000;
    this.#wrapped.set(token, { answer, creationPath, creationTime, ttlSeconds, expiresMs });
    return {
      request_id: "",
      lease_id: "",
      renewable: false,
      lease_duration: 0,
      data: null,
      wrap_info: {
        token,
        accessor: randomBytes(18).toString("base64url"),
        ttl: ttlSeconds,
        creation_time: creationTime,
        creation_path: creationPath,
        ...(wrappedAccessor === undefined ? {} : { wrapped_accessor: wrappedAccessor }),
      },
      warnings: null,
      auth: null,
    };
  }

  isWrapping(token: string): boolean {
    const found = this.#wrapped.get(token);
    return found !== undefined && found.expiresMs > this.#clock.now().getTime();
  }

  lookup(token: string): Json {
    const { creationPath, creationTime, ttlSeconds } = this.#living(token);
    return { creation_path: creationPath, creation_time: creationTime, creation_ttl: ttlSeconds };
  }

  /** It is spent with this, whatever becomes of the answer. */
  unwrap(token: string): Json {
    const { answer } = this.#living(token);
    this.#wrapped.delete(token);
    return answer;
  }

  #living(token: string): Wrapped {
    const found = this.#wrapped.get(token);
    if (found === undefined || !this.isWrapping(token)) throw new Refused(400, INVALID);
    return found;
  }
}
