/** An alert in words, for whoever is woken by it: what, since when, what to do. */
import type { AlertMessage } from "../../core/ports/channel.ts";
import { durationText } from "../../lib/age.ts";
import { boundedLine } from "../../lib/visible-text.ts";

const TITLES: Readonly<Record<AlertMessage["event"], string>> = {
  opened: "Wrong",
  changed: "Worse",
  resolved: "Right again",
  test: "Test",
};

/** Of several in one message: Slack takes 3,000 characters. */
const MAX_NAMED = 10;
const MAX_MESSAGE = 160;
const MAX_ALONE = 1_500;
const MAX_REMEDY = 500;

/**
 * A line that may repeat what a host or an agent says: nothing in it is invisible, begins another line or can be clicked.
 * Readers make links of addresses; what a place names is not what a person who was woken should open.
 */
export function plainLine(text: string, max: number): string {
  return boundedLine(text, max).replaceAll("://", "[:]//");
}

/** One line: begins with what a person looks for. */
export function titleOf({ event, kind, level }: AlertMessage): string {
  return `Lockstep: ${TITLES[event]} (${kind}${event === "resolved" || event === "test" ? "" : `, ${level}`})`;
}

export function linesOf({ event, message, remedy, openedAt, at }: AlertMessage): readonly string[] {
  const since = `${openedAt.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const lines = [plainLine(message, MAX_ALONE)];
  if (event === "resolved") lines.push(`It was so since ${since}, for ${durationOf(openedAt, at)}.`);
  else {
    if (remedy !== "") lines.push(`Do: ${plainLine(remedy, MAX_REMEDY)}`);
    lines.push(`Since ${since}.`);
  }
  return lines;
}

/** Counted, so that a glance tells an outage from a single thing. */
export function titleOfSeveral(messages: readonly AlertMessage[]): string {
  const counted = (["opened", "changed", "resolved"] as const).flatMap((event) => {
    const count = messages.filter((message) => message.event === event).length;
    return count === 0 ? [] : [`${count} ${TITLES[event].toLowerCase()}`];
  });
  return `Lockstep: ${counted.join(", ")}`;
}

/** What is wrong first; one line each, and where the rest is. */
export function linesOfSeveral(messages: readonly AlertMessage[]): readonly string[] {
  const sorted = [...messages].sort((a, b) => rankOf(a) - rankOf(b));
  const named = sorted.slice(0, MAX_NAMED).map(({ event, message, remedy }) => {
    const remedyText = event === "resolved" || remedy === "" ? "" : ` Do: ${plainLine(remedy, MAX_MESSAGE)}`;
    return `• ${TITLES[event]}: ${plainLine(message, MAX_MESSAGE)}${remedyText}`;
  });
  const more = messages.length - named.length;
  return [...named, ...(more > 0 ? [`… and ${more} more.`] : []), "All of it: lockstep doctor"];
}

function rankOf({ event }: AlertMessage): number {
  return ["changed", "opened", "resolved", "test"].indexOf(event);
}

function durationOf(from: Date, to: Date): string {
  return durationText(Math.max(0, to.getTime() - from.getTime()));
}
