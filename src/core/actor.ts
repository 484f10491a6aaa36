/** Who did something, recorded with every push and audit entry. `via` names the chain, nearest cause first. */
export interface Actor {
  readonly kind: "token" | "system" | "local" | "agent";
  /** Token id, or the part of Lockstep that acted by itself. */
  readonly id: string;
  readonly name: string;
  readonly via?: readonly string[];
}

export const SYSTEM: Actor = { kind: "system", id: "system", name: "lockstep" };
