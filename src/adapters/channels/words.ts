/** An alert in words, for whoever is woken by it: what, since when, what to do. */
import type { AlertMessage } from "../../core/ports/channel.ts";
import { durationText } from "../../lib/age.ts";

const TITLES: Readonly<Record<AlertMessage["event"], string>> = {
  opened: "Wrong",
  changed: "Worse",
  resolved: "Right again",
  test: "Test",
};

/** One line: begins with what a person looks for. */
export function titleOf({ event, kind, level }: AlertMessage): string {
  return `Lockstep: ${TITLES[event]} (${kind}${event === "resolved" || event === "test" ? "" : `, ${level}`})`;
}

export function linesOf({ event, message, remedy, openedAt, at }: AlertMessage): readonly string[] {
  const since = `${openedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const lines = [message];
  if (event === "resolved") lines.push(`It was so since ${since}, for ${durationOf(openedAt, at)}.`);
  else {
    if (remedy !== "") lines.push(`Do: ${remedy}`);
    lines.push(`Since ${since}.`);
  }
  return lines;
}

function durationOf(from: Date, to: Date): string {
  return durationText(Math.max(0, to.getTime() - from.getTime()));
}
