/** Who calls whom, and is answered how: the table that lives while calls go on. */
import { type Calls, isRefused } from "./calls.ts";
import type { Screen } from "./screen.ts";

type Paint = Screen["paint"];

const WIDTH = 13;

export function callsTable(calls: Calls, since: number, screen: Screen): readonly string[] {
  const { services } = calls;
  const paint: Paint = (tone, text) => screen.paint(tone, text);
  const head = ["caller".padEnd(WIDTH), ...services.map((name) => `→ ${name}`.padEnd(WIDTH))].join("");
  const rows = services.map((from) => {
    const cells = services.map((to) =>
      from === to ? "·".padEnd(WIDTH) : cell(calls, from, to, since, paint),
    );
    return `  ${from.padEnd(WIDTH)}${cells.join("")}`.trimEnd();
  });
  const { answered, refused, lost } = calls.tally(since);
  const counts = `${answered} answered, ${refused} refused${lost === 0 ? "" : `, ${lost} without an answer`}`;
  return [`  ${paint("dim", head.trimEnd())}`, ...rows, `  ${paint("dim", counts)}`];
}

function cell(calls: Calls, from: string, to: string, since: number, paint: Paint): string {
  const latest = calls.latest(from, to, since);
  if (latest === null) return paint("dim", "…".padEnd(WIDTH));
  if (latest.status === 200) return paint("good", "200".padEnd(WIDTH));
  if (isRefused(latest)) return paint("bad", `${latest.status} refused`.padEnd(WIDTH));
  return paint("warn", (latest.status === 0 ? "no answer" : String(latest.status)).padEnd(WIDTH));
}
