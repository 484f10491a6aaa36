/** A probe's specification as it was stored or given, read. What it may say is `protocol/probe.ts`'s matter. Pure. */
import { LockstepError } from "../../core/errors.ts";
import { problemsOf, wordIssue } from "../../protocol/config-problem.ts";
import { type Probe, probeSchema } from "../../protocol/probe.ts";

/** Throws CONFIG_INVALID with `details.path`, a list of keys and indexes below `probe`. */
export function parseProbe(raw: unknown): Probe {
  const parsed = probeSchema.safeParse(raw, { error: wordIssue });
  if (parsed.success) return parsed.data;
  const [problem] = problemsOf(parsed.error.issues);
  throw new LockstepError("CONFIG_INVALID", problem?.message ?? "is not valid", {
    details: { path: [...(problem?.path ?? [])] },
    ...(problem === undefined ? {} : { hint: problem.remedy }),
  });
}
