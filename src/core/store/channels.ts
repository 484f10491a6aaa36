/** Where alerts go, and what is on its way there. */
import type { JsonObject } from "../json.ts";
import type { AlertRecord } from "./alerts.ts";

export interface StoredChannel {
  readonly id: string;
  readonly name: string;
  readonly kind: "slack" | "webhook" | "email";
  /** Without its credentials. */
  readonly config: JsonObject;
  readonly credentialsSealed: string | null;
}

export interface NewChannel extends Omit<StoredChannel, "id" | "name"> {
  readonly destination: string;
}

export type DeliveryEvent = "opened" | "changed" | "resolved";

export interface DueDelivery {
  readonly id: string;
  readonly event: DeliveryEvent;
  readonly attempts: number;
  readonly createdAt: Date;
  /** Who took these words of the alert at an earlier try, of several recipients. */
  readonly reached: readonly string[];
  readonly channel: StoredChannel;
  readonly alert: AlertRecord;
}

export interface ChannelHealth {
  readonly name: string;
  readonly kind: string;
  readonly lastDeliveredAt: Date | null;
  /** Of the last message that has not arrived; null: all did. */
  readonly error: { readonly message: string; readonly since: Date; readonly isOver: boolean } | null;
  readonly waiting: number;
}

export interface ChannelRepo {
  all(): Promise<readonly StoredChannel[]>;
  /** Answers its id. */
  save(name: string, channel: NewChannel): Promise<string>;
  /** What waits for it is not sent any more. Answers its id. */
  remove(name: string): Promise<string>;
  /** Takes those whose time has come for so long: nobody else sends them meanwhile. */
  takeDue(
    kinds: readonly StoredChannel["kind"][],
    limit: number,
    leaseMs: number,
  ): Promise<readonly DueDelivery[]>;
  /** Of the words that the alert had at `alertAt`; where it has newer ones by now, these are still to be sent. */
  delivered(deliveryId: string, alertAt: Date): Promise<void>;
  /**
   * `againInMs` null: it is not tried any more. `reached`: who has the words that the alert had at `alertAt`; where it has
   * newer ones by now, everybody is to get these.
   */
  failed(
    deliveryId: string,
    message: string,
    againInMs: number | null,
    reached: { readonly who: readonly string[]; readonly alertAt: Date },
  ): Promise<void>;
  health(): Promise<readonly ChannelHealth[]>;
}
