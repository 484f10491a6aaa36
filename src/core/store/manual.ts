/** Places in other hands: what people said stands there. */
import type { Actor } from "../actor.ts";
import type { Address } from "../ports/place.ts";

export interface ManualPlace extends Address {
  readonly version: number;
}

export interface ManualRepo {
  places(targetId: string): Promise<readonly ManualPlace[]>;
  /** In place of all that was known there. */
  confirm(targetId: string, places: readonly ManualPlace[], actor: Actor): Promise<void>;
  /** False: it was revealed before. */
  reveal(targetId: string, generation: number, key: string, actor: Actor): Promise<boolean>;
}
