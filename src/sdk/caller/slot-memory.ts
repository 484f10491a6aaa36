/**
 * Which value to try first. The primary, unless an origin refused it lately and took the other one.
 *
 * By value, not by slot: when the new value moves from fallback to primary, what was learnt about it moves along. And
 * for a minute only: a verifier that refused the new value once would otherwise be sent the old one for as long as it
 * takes it, and the old one could never be retired.
 */
import type { Slot, Values } from "../source/values.ts";

const REMEMBER_MS = 60_000;

export interface Candidate {
  readonly slot: Slot;
  readonly value: string;
}

export class SlotMemory {
  readonly #worked = new Map<string, { readonly value: string; readonly untilMs: number }>();

  /** None, one, or two different values, the one to send first. `place` is an origin, or "" for no particular one. */
  candidates(place: string, { primary, fallback }: Values): readonly Candidate[] {
    const first: readonly Candidate[] = primary === undefined ? [] : [{ slot: "primary", value: primary }];
    const second: readonly Candidate[] =
      fallback === undefined || fallback === primary ? [] : [{ slot: "fallback", value: fallback }];
    const worked = this.#worked.get(place);
    const prefersFallback = worked?.value === fallback && (worked?.untilMs ?? 0) > Date.now();
    return prefersFallback ? [...second, ...first] : [...first, ...second];
  }

  /** After the first candidate was refused there and this one was not. */
  remember(place: string, { value }: Candidate): void {
    this.#worked.set(place, { value, untilMs: Date.now() + REMEMBER_MS });
  }
}
