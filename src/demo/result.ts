/** What a demo found, as `--json` tells it. */
export interface DemoResult {
  /** Every chapter's assertion held. */
  ok: boolean;
  /** What did not hold; null when all did. */
  failure: string | null;
  steps: { readonly name: string; readonly ms: number }[];
  totalMs: number;
  sshServer: "openssh" | "stand-in" | null;
  /** Calls refused during the outage, until the repair. */
  refusedBefore: number;
  /** From the change by hand to the moment when every call was answered again. */
  outageMs: number | null;
  /** What the diagnosis named and the repair ran. */
  command: string | null;
  refusedDuringRotation: number;
  /** Calls that found nobody listening while services restarted. */
  lostDuringRotation: number;
  /** From the first to the last refused call of the rotation. */
  mismatchMs: number | null;
  /** Processes that did not end when they were asked to; the guard ended them. */
  leftOver: number | null;
}

export function nothingYet(): DemoResult {
  return {
    ok: false,
    failure: null,
    steps: [],
    totalMs: 0,
    sshServer: null,
    refusedBefore: 0,
    outageMs: null,
    command: null,
    refusedDuringRotation: 0,
    lostDuringRotation: 0,
    mismatchMs: null,
    leftOver: null,
  };
}
