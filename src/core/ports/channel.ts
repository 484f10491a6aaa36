/**
 * Brings one message to people. Throws CHANNEL_REFUSED when a person must act (the address is gone, the credential is
 * not accepted), CHANNEL_UNAVAILABLE when it may be tried again. What the other side says is never kept.
 */
import type { JsonObject } from "../json.ts";

export interface AlertMessage {
  /** The same at every try, so that a receiver may drop what it has already. */
  readonly id: string;
  readonly event: "opened" | "changed" | "resolved" | "test";
  readonly kind: string;
  readonly level: string;
  /** Words, names and numbers; no value. */
  readonly message: string;
  /** The command that repairs it, or words; empty: there is none. */
  readonly remedy: string;
  readonly openedAt: Date;
  readonly at: Date;
}

export interface Channel {
  /**
   * `config`: as lockstep.yaml says it, credentials included. `reached`: who took this message at an earlier try, and does
   * not get it again. An error of a message that some took names in `details.reached` who has it by now.
   */
  send(
    config: JsonObject,
    message: AlertMessage,
    signal: AbortSignal,
    reached?: readonly string[],
  ): Promise<void>;
  /** Several as one, where people read: a platform that is away must not ring eighty times. Absent: each for itself. */
  sendTogether?(
    config: JsonObject,
    messages: readonly AlertMessage[],
    signal: AbortSignal,
    reached?: readonly string[],
  ): Promise<void>;
}
