/**
 * A world in which rollouts happen: places with what is stored and what runs, and what Lockstep knows of them, by the rules
 * of the store: a write that was read back resets what was known, a restart proves only what was settled before it was
 * asked for, and a look counts only for the slots that were settled when it began.
 */
import { type Action, decide, type RolloutState } from "../../../../src/core/rollout/engine.ts";
import { probedVersions } from "../../../../src/core/rollout/gates.ts";
import { judgeObservation, type Observation } from "../../../../src/core/rollout/judge-observation.ts";
import type { Acceptance, Member } from "../../../../src/core/rollout/member.ts";
import { type Slots, sameSlots, slotsOf } from "../../../../src/core/rollout/slots.ts";
import { firstPhase, isPastTurn } from "../../../../src/core/rollout/strategy.ts";
import { member, rollout } from "../members.ts";

export type Strategy = "overlap" | "swap";

interface Look {
  readonly place: Place;
  readonly digest: string;
  readonly beganAtMs: number;
  readonly result: Observation;
}

export class Place {
  stored: Slots = { primary: 1, fallback: null };
  /** The oldest first; the last one was started last. */
  lives: Slots[] = [{ primary: 1, fallback: null }];
  known: Member;
  settledAtMs = 0;
  owesRestart = false;
  /** Nobody knows yet whether the last write arrived: no restart is asked for before it is read back. */
  isUnresolved = false;
  /** Of a restart under way. */
  requestedAtMs: number | null = null;
  /** Holds the fallback and ignores it. */
  isDeaf = false;

  constructor(known: Member) {
    this.known = known;
  }

  /** Each life by itself: a call meets one of them. */
  accepts(tried: readonly (number | null)[]): boolean {
    return this.lives.every(({ primary, fallback }) =>
      tried.some(
        (version) => version !== null && (primary === version || (!this.isDeaf && fallback === version)),
      ),
    );
  }
}

/** What a mutant does differently. */
export interface Rules {
  readonly slots: typeof slotsOf;
  readonly decide: typeof decide;
}

export const REAL: Rules = { slots: slotsOf, decide };

export class World {
  nowMs = 1_000;
  rollout: RolloutState | null;
  from = 1;
  to = 2;
  /** Versions that were current once: somebody may use them. */
  readonly isUsed = new Set([1]);
  readonly looks: Look[] = [];
  readonly violations: string[] = [];
  readonly places: readonly Place[];
  readonly #rules: Rules;
  readonly #strategy: Strategy;

  constructor(strategy: Strategy, roles: readonly Member["role"][], rules: Rules) {
    this.#strategy = strategy;
    this.#rules = rules;
    this.places = roles.map(
      (role, index) =>
        new Place(
          member({
            bindingId: `b${index}`,
            target: `${role}-${index}`,
            role,
            settled: { primary: 1 },
            evidence: "deployed",
            acceptanceBy: role === "caller" ? null : "probe",
            triesBoth: strategy === "swap",
            changedAtMs: 0,
            observedAtMs: null,
          }),
        ),
    );
    this.rollout = rollout({ strategy, phase: firstPhase(strategy), phaseStartedAtMs: this.nowMs });
  }

  /** Every value that a caller may send is accepted; in `swap` one of the two that it tries. */
  check(after: string): void {
    const verifiers = this.places.filter(({ known }) => known.role !== "caller");
    const callers = this.places.filter(({ known }) => known.role !== "verifier");
    for (const caller of callers) {
      for (const { primary, fallback } of [...caller.lives, caller.stored]) {
        const tried = this.#strategy === "swap" ? [primary, fallback] : [primary];
        for (const verifier of verifiers) {
          if (verifier.accepts(tried)) continue;
          this.violations.push(
            `after ${after}: v${String(primary)} of ${caller.known.target} at ${verifier.known.target}`,
          );
        }
      }
    }
  }

  wanted(place: Place): Slots {
    const { settled, role } = place.known;
    const current = this.rollout === null ? this.to : this.rollout.toVersion;
    return this.#rules.slots({ settled, role }, current, this.rollout);
  }

  /** `isLost`: it was written, and nobody heard. */
  push(place: Place, isLost: boolean): void {
    const wanted = this.wanted(place);
    const writes = !sameSlots(wanted, place.stored);
    if (writes) place.owesRestart = true;
    place.stored = wanted;
    place.isUnresolved = isLost;
    if (isLost) return;
    const settled = {
      ...(wanted.primary === null ? {} : { primary: wanted.primary }),
      ...(wanted.fallback === null ? {} : { fallback: wanted.fallback }),
    };
    const isNew =
      writes || digestOf(settled) !== digestOf(place.known.settled) || place.known.evidence === null;
    place.known = {
      ...place.known,
      settled,
      ...(isNew ? { evidence: "stored", acceptance: new Map(), lacks: false, changedAtMs: this.nowMs } : {}),
    };
    if (isNew) place.settledAtMs = this.nowMs;
  }

  /** A new life starts beside the old one. */
  startRestart(place: Place): void {
    if (place.requestedAtMs !== null || !place.owesRestart || place.isUnresolved) return;
    place.requestedAtMs = this.nowMs;
    place.owesRestart = false;
    place.lives.push(place.stored);
  }

  /** The old life is gone; what was settled before the request is deployed. */
  endRestart(place: Place): void {
    if (place.requestedAtMs === null) return;
    place.lives = place.lives.slice(-1);
    if (place.known.evidence === "stored" && place.settledAtMs <= place.requestedAtMs)
      place.known = { ...place.known, evidence: "deployed", changedAtMs: this.nowMs };
    place.requestedAtMs = null;
  }

  /** By itself: the machine, the platform, a crash. */
  restartByItself(place: Place): void {
    place.lives = [place.stored];
  }

  beginLook(place: Place): void {
    if (this.rollout === null) return;
    const held = [place.known.settled.primary, place.known.settled.fallback].filter(
      (version): version is number => typeof version === "number",
    );
    const acceptance = new Map<number, Acceptance>();
    if (place.known.role !== "caller") {
      for (const version of probedVersions(this.rollout)) {
        // One request meets one life.
        const life = place.lives.at(-1);
        const isAccepted =
          life?.primary === version || (!place.isDeaf && life !== undefined && life.fallback === version);
        acceptance.set(version, { verdict: isAccepted ? "accepted" : "refused", reason: "asked" });
      }
    }
    const isStored = sameSlots(place.stored, {
      primary: place.known.settled.primary ?? null,
      fallback: place.known.settled.fallback ?? null,
    });
    const result = {
      readBack: isStored,
      wrong: isStored ? null : "something else stands there",
      running: null,
      isReported: false,
      acceptance,
      held,
    };
    this.looks.push({ place, digest: digestOf(place.known.settled), beganAtMs: this.nowMs, result });
  }

  endLook({ place, digest, beganAtMs, result }: Look): void {
    if (digest !== digestOf(place.known.settled) || place.settledAtMs > beganAtMs) return;
    if ((place.known.observedAtMs ?? 0) > beganAtMs) return;
    const { evidence, lacks, reason } = judgeObservation(place.known.evidence, result);
    place.known = {
      ...place.known,
      evidence,
      lacks,
      observedReason: reason,
      observedAtMs: beganAtMs,
      acceptance: result.acceptance,
    };
  }

  members(): readonly Member[] {
    return this.places.map((place) => ({
      ...place.known,
      activating: place.owesRestart || place.requestedAtMs !== null,
    }));
  }

  /** One decision, applied whole. Answers what it decided. */
  advance(): readonly Action[] {
    if (this.rollout === null) return [];
    const { actions } = this.#rules.decide(this.rollout, this.members(), this.nowMs);
    for (const action of actions) this.#apply(action);
    return actions;
  }

  rollback(): void {
    const open = this.rollout;
    if (open === null) return;
    const isInUse = isPastTurn(open.strategy, open.phase) || this.isUsed.has(open.toVersion);
    [this.from, this.to] = [open.toVersion, open.fromVersion ?? 1];
    this.rollout = rollout({
      strategy: open.strategy,
      phase: isInUse ? firstPhase(open.strategy) : "retire",
      fromVersion: this.from,
      toVersion: this.to,
      phaseStartedAtMs: this.nowMs,
    });
  }

  #apply(action: Action): void {
    const open = this.rollout;
    if (open === null) return;
    switch (action.kind) {
      case "enter":
        if (action.promotes) this.isUsed.add(open.toVersion);
        this.rollout = { ...open, phase: action.phase, phaseStartedAtMs: this.nowMs, recheckFromMs: null };
        return;
      case "recheck":
        this.rollout = { ...open, recheckFromMs: action.from === "now" ? this.nowMs : null };
        return;
      case "hold":
      case "release":
        this.rollout = { ...open, held: action.kind === "hold" };
        return;
      case "stall":
        this.rollout = { ...open, state: "stalled", reason: action.reason };
        return;
      case "unstall":
        this.rollout = { ...open, state: "running", reason: null };
        return;
      case "finish":
        this.rollout = null;
        return;
      case "look":
        for (const place of this.places)
          if (action.bindingIds.includes(place.known.bindingId)) this.beginLook(place);
        return;
      case "meet-gate":
        return;
    }
  }
}

function digestOf({ primary, fallback }: Member["settled"]): string {
  return `${String(primary)}/${String(fallback)}`;
}
