/** How long the disk of the store lasts. Pure. */
import { byteText } from "../../lib/byte-text.ts";
import { daysLeft } from "../store-growth.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, ITSELF } from "./finding.ts";

const MIB = 1_048_576;
/** Below that PostgreSQL may stop in the middle of its own housekeeping: a checkpoint, a vacuum, a migration. */
const LITTLE_BYTES = 256 * MIB;
const SOON_DAYS = 30;
const VERY_SOON_DAYS = 7;

export function ofSpace({ space }: DoctorFacts): readonly Finding[] {
  const { bytes, freeBytes, growth } = space;
  if (freeBytes === null) return [];
  const days = daysLeft(freeBytes, growth);
  const isLittle = freeBytes < LITTLE_BYTES;
  if (!isLittle && (days === null || days >= SOON_DAYS)) return [];
  const takes = bytes === null ? "" : `The store takes ${byteText(bytes)}.`;
  const grows =
    growth === null || growth.bytesPerDay <= 0 ? "" : ` It grows by ${byteText(growth.bytesPerDay)} a day.`;
  const ends =
    days === null ? "" : ` At that rate the disk is full in ${days} ${days === 1 ? "day" : "days"}.`;
  return [
    {
      ...ITSELF,
      id: "disk-full-soon",
      severity: isLittle || (days !== null && days < VERY_SOON_DAYS) ? "wrong" : "hint",
      what: `The disk of the store has ${byteText(freeBytes)} left.`,
      cause: `${takes}${grows}${ends} When the disk is full, Lockstep refuses every change. Free space there, or keep less history with LOCKSTEP_KEEP; \`lockstep store status\` shows what takes it.`,
      command: null,
    },
  ];
}
