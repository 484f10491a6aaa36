/** What stands where, for a person who decides whether this store counts from now on. */
import { ageText } from "../../../lib/age.ts";
import type { EpochAnswer, EpochPlace, SetBackView } from "../../../protocol/api-epoch.ts";
import type { Output } from "../output.ts";
import { showTable } from "../table.ts";
import type { Tone } from "../tone.ts";

const TONES: Readonly<Record<EpochPlace["stands"], Tone>> = {
  current: "good",
  older: "warn",
  unknown: "bad",
  absent: "warn",
  unreadable: "warn",
};

export function showEpoch(output: Output, { epoch, begun, setBack, places }: EpochAnswer, now: Date): void {
  const since = begun === null ? "" : `, begun ${ageText(begun.at, now)}: ${begun.reason}`;
  output.line(`This is epoch ${epoch} of the store${since}.`);
  if (setBack !== null) showSetBack(output, setBack, now);
  output.line();
  showTable<EpochPlace>(
    output,
    [
      { header: "secret", cell: ({ secret }) => secret, group: true },
      { header: "target", cell: ({ target }) => target, shrink: true },
      {
        header: "key",
        cell: ({ placement, key }) => (placement === "" ? key : `${placement} ${key}`),
        shrink: true,
      },
      { header: "here", cell: ({ current }) => (current === null ? "–" : `v${current}`) },
      { header: "there", cell: thereText, tone: ({ stands }) => TONES[stands] },
      { header: "reason", cell: ({ reason }) => reason ?? "", below: true },
    ],
    places,
    "No secret is bound to any target.",
  );
  showUnknown(output, places);
}

export function showSetBack(output: Output, { target, by, seen, at }: SetBackView, now: Date): void {
  const who = by === "report" ? `the agent of ${target} holds` : `${target} carries`;
  output.line(
    `STORE SET BACK ${ageText(at, now)}: ${who} ${seen}, which this store never wrote. Lockstep changes nothing until a new epoch begins.`,
  );
}

function thereText({ stands, version }: EpochPlace): string {
  if (stands === "current") return `v${version}`;
  if (stands === "older") return `v${version}, older`;
  return stands === "unknown" ? "UNKNOWN HERE" : stands;
}

/** Whoever begins without looking at these may retire what is in use. */
function showUnknown(output: Output, places: readonly EpochPlace[]): void {
  const unknown = places.filter(({ stands }) => stands === "unknown");
  if (unknown.length === 0) return;
  output.line();
  output.line(
    `${unknown.length} of ${places.length} hold a value that this store does not know. It stays there, as foreign, until somebody imports it:`,
  );
  for (const { secret, target, import: command } of unknown) {
    output.line(
      command === null
        ? `  ${secret} at ${target}: its agent sends no values; read the value there, then: lockstep secret set ${secret}`
        : `  ${command}`,
    );
  }
}
