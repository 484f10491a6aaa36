/** What of a bundle the host's owner allows: the rest is not touched, and reported with the lines that would allow it. */
import type { Activation, Health } from "../../../adapters/placements/activation/config.ts";
import type { PlacedFile } from "../../../adapters/placements/placement.ts";
import type { Address } from "../../../core/ports/place.ts";
import type { Bundle, PolicyRefusal } from "../../../protocol/agent/messages.ts";

export interface Allowed {
  readonly files: readonly PlacedFile[];
  /** Null: there is nothing to restart, or it is refused. A command's words come from the host's own policy. */
  readonly activation: Activation | null;
  readonly health: Health | null;
  /** Why nothing may be written there, in words; null: it may. `placement` is '' for the child's environment. */
  readonly whyNot: (address: Address) => string | null;
  /** Whether a service may be asked there, or a file with its counts be read. */
  readonly mayAsk: (where: { readonly url: string } | { readonly file: string }) => boolean;
  /** Whether the server may be told the value that stands in this file, when it is the newer one. */
  readonly mayTell: (placement: string) => boolean;
  /** Files that may be searched for copies: those that the target names, and all that the owner lets be searched. */
  readonly searched: { readonly named: readonly string[]; readonly all: readonly string[] };
  readonly refused: readonly PolicyRefusal[];
}

export type JudgeBundle = (bundle: Bundle) => Promise<Allowed>;
