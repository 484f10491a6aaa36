/**
 * How well we know that a place uses a version, weakest first.
 *
 * acknowledged  the place's API said yes
 * stored        read back, equal
 * deployed      a deployment or restart that began after the write has finished well
 * running       the running process holds it
 * proven        a live request showed it
 *
 * `attested` stands beside the ladder: a named person or the config says so.
 */
export const EVIDENCE_LADDER = ["acknowledged", "stored", "deployed", "running", "proven"] as const;

export type LadderEvidence = (typeof EVIDENCE_LADDER)[number];
export type Evidence = LadderEvidence | "attested";

export function isAtLeast(evidence: Evidence | null, required: LadderEvidence): boolean {
  if (evidence === null || evidence === "attested") return false;
  return EVIDENCE_LADDER.indexOf(evidence) >= EVIDENCE_LADDER.indexOf(required);
}

/** The weaker of two: used to cap what may be claimed. */
export function weaker(left: LadderEvidence, right: LadderEvidence): LadderEvidence {
  return EVIDENCE_LADDER.indexOf(left) <= EVIDENCE_LADDER.indexOf(right) ? left : right;
}
