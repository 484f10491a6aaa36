/** Healing by the configuration's word: who does it, and how often it is tried. */
import { SYSTEM } from "../actor.ts";

export const HEALER = { ...SYSTEM, id: "healing", name: "healing" };
/** Drift that comes back has a writer of its own: people are told of it, and it is not fought. */
export const HEALS_PER_HOUR = 2;
