/** `lockstep renewals`: until when each token is good, and when the next one is made. */
import { ageText, durationText } from "../../../lib/age.ts";
import type { RenewalAnswer } from "../../../protocol/api-renewals.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], { readonly environment?: string }> = async (
  cli,
  _parameters,
  { environment },
) => {
  const api = await cli.api();
  const answer = await api.call("listRenewals", {
    query: environment === undefined ? {} : { environment },
  });
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<RenewalAnswer>(
      cli.output,
      [
        { header: "secret", cell: ({ secret }) => secret },
        { header: "environment", cell: (one) => one.environment },
        { header: "issuer", cell: ({ issuer }) => issuer },
        { header: "version", cell: ({ version }) => (version === null ? "–" : `v${version}`) },
        { header: "state", cell: ({ state }) => state },
        {
          header: "expires",
          cell: ({ version, expiresAt }) => (version === null ? "–" : untilText(expiresAt, now)),
        },
        {
          header: "next try",
          cell: ({ nextTryAt }) => (nextTryAt === null ? "–" : untilText(nextTryAt, now)),
        },
        { header: "last error", cell: (one) => errorText(one, now), shrink: true },
      ],
      answer.renewals,
      "No secret has an issuer.",
    ),
  );
  // As with `check`: what a person must see is told by the exit code too.
  return answer.renewals.some(({ state }) => state === "expired" || state === "lost") ? 1 : 0;
};

function untilText(instant: string | null, now: Date): string {
  if (instant === null) return "never";
  const ms = Date.parse(instant) - now.getTime();
  return ms > 0 ? `in ${durationText(ms)}` : ms > -1_500 ? "now" : ageText(instant, now);
}

function errorText({ error, failures }: RenewalAnswer, now: Date): string {
  if (error === null) return "";
  return `${error.code} ${ageText(error.at, now)}${failures > 1 ? `, ${failures} in a row` : ""}: ${error.message}`;
}
