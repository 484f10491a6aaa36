/**
 * What a target's agents were answered by what listens on their machines. Several machines are one place: what not all
 * of them were answered is not known. Pure.
 */
import type { UsageAnswer } from "../../../core/ports/usage-reader.ts";
import type { Acceptance } from "../../../core/rollout/member.ts";
import type { ReportedAnswer } from "../../../protocol/agent/asks.ts";
import type { ReportedAnswers } from "../../observe/probe-binding.ts";
import type { ReportContent } from "../../targets/report-content.ts";

const SILENT = "its agent has not asked it";

type Answers = readonly (ReportedAnswer | undefined)[];

export function reportedAnswers(
  reports: readonly { readonly content: Pick<ReportContent, "answers"> }[],
  bindingId: string,
): ReportedAnswers {
  const answers = reports.map(({ content }) => content.answers.find((one) => one.bindingId === bindingId));
  const versions = new Set(answers.flatMap((one) => one?.acceptance.map(({ version }) => version) ?? []));
  return {
    acceptance: new Map([...versions].map((version) => [version, acceptanceOf(answers, version)])),
    usage: usageOf(answers),
  };
}

function acceptanceOf(answers: Answers, version: number): Acceptance {
  const said = answers.map(
    (one): Acceptance =>
      one?.acceptance.find((asked) => asked.version === version) ?? {
        verdict: "cannot-tell",
        reason: SILENT,
      },
  );
  const unknown = said.find(({ verdict }) => verdict === "cannot-tell");
  const [first] = said;
  if (unknown !== undefined || first === undefined)
    return wordsOf(unknown ?? { verdict: "cannot-tell", reason: SILENT });
  return said.every(({ verdict }) => verdict === first.verdict)
    ? wordsOf(first)
    : { verdict: "cannot-tell", reason: "its machines answer differently" };
}

function wordsOf({ verdict, reason }: Acceptance): Acceptance {
  return { verdict, reason };
}

/** Held where every machine's process holds it; used last when any of them used it. */
function usageOf(answers: Answers): UsageAnswer {
  const holds: (readonly number[])[] = [];
  const usedAgoMs = new Map<number, number>();
  for (const answer of answers) {
    const usage = answer?.usage ?? null;
    if (usage === null) return { state: "cannot-tell", reason: SILENT };
    if (usage.state === "cannot-tell") return { state: "cannot-tell", reason: usage.reason };
    holds.push(usage.holds);
    for (const { version, agoMs } of usage.used)
      usedAgoMs.set(version, Math.min(agoMs, usedAgoMs.get(version) ?? Number.POSITIVE_INFINITY));
  }
  const [first = [], ...rest] = holds;
  return {
    state: "told",
    holds: first.filter((version) => rest.every((held) => held.includes(version))),
    usedAgoMs,
  };
}
