/** What a person looks at before they begin a new epoch: every place now, and what of it this store does not know. */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { BindingRow } from "../../core/store/views.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { EpochAnswer, EpochPlace } from "../../protocol/api-epoch.ts";
import type { AppContext } from "../base/context.ts";
import { observeTogether } from "../observe/observe-together.ts";
import { setBackView } from "../status/status.ts";
import { kindOf } from "../targets/open-target.ts";

const LIMITS = { maxAtOnce: 32, timeoutMs: 10_000, asksAgents: false };

export async function viewEpoch(context: AppContext, signal: AbortSignal): Promise<EpochAnswer> {
  const { read } = context.store;
  const targets = await read.views.targets({});
  const records = await read.targets.findAll(targets.map(({ id }) => id));
  const failures = new Map(
    await observeTogether(context, records, LIMITS, signal, async ({ id }, observe) => {
      const failure = await observe().then(({ fault }) => fault, toLockstepError);
      return [id, failure?.message ?? null] as const;
    }),
  );
  // After the looks, which may have found that the store was set back.
  const [epoch, setBack, entries, secrets, rows] = [
    await read.meta.epoch(),
    await read.meta.setBack(),
    await read.meta.epochEntries(0),
    await read.views.secrets({}),
    await read.views.bindings({}),
  ];
  const names = new Map(secrets.map((secret) => [secret.id, secret]));
  const kinds = new Map(targets.map((target) => [target.id, target]));
  const isSeveral = new Set(targets.map(({ environment }) => environment)).size > 1;
  const last = entries.at(-1);
  return {
    epoch,
    begun: last === undefined ? null : { at: last.begunAt.toISOString(), reason: last.reason },
    setBack: setBack === null ? null : setBackView(setBack),
    places: rows
      .filter(({ leftover }) => !leftover)
      .map((row): EpochPlace => {
        const secret = names.get(row.secretId);
        const target = kinds.get(row.targetId);
        const stands = standsThere(row, failures.get(row.targetId) ?? null);
        const sends = target !== undefined && kindOf(context, target.kind).delivery !== "agent";
        const where = isSeveral ? ["--environment", secret?.environment ?? ""] : [];
        return {
          secret: secret?.name ?? "",
          environment: target?.environment ?? "",
          target: row.target,
          placement: row.placement,
          key: row.key,
          current: row.currentVersion,
          ...stands,
          import:
            stands.stands === "unknown" && sends
              ? shellCommand(["lockstep", "import", secret?.name ?? "", "--from", row.target, ...where])
              : null,
        };
      }),
  };
}

function standsThere(
  { found, foundVersion, foundReason, currentVersion }: BindingRow,
  failure: string | null,
): Pick<EpochPlace, "reason" | "stands" | "version"> {
  if (found === "version") {
    const stands = foundVersion === currentVersion ? "current" : "older";
    return { stands, version: foundVersion, reason: null };
  }
  if (found === "unknown" || found === "absent") return { stands: found, version: null, reason: foundReason };
  return { stands: "unreadable", version: null, reason: failure ?? foundReason ?? "nobody has looked there" };
}

/** Throws INPUT_INVALID for a reason of nothing. */
export function assertReason(reason: string): string {
  const told = reason.trim();
  if (told !== "") return told;
  throw new LockstepError("INPUT_INVALID", "Cannot begin an epoch without a reason: it goes on record.");
}
