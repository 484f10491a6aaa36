/** What doctor knows of Lockstep itself: its store, keys, clocks, quotas, tokens and ways to people. */
import type { DoctorFacts } from "../../core/doctor/facts.ts";
import type { AppContext } from "../base/context.ts";
import { keyRingsOf, recoveryCopyOf, sealingOf } from "./root-key-facts.ts";
import { storeSpace } from "./store-space.ts";
import { valueFacts } from "./value-facts.ts";

/** Below that checks stop, and pushes have the rest. */
const LOW_SHARE = 0.2;
const DAY_MS = 24 * 3_600_000;
const ENDS_SOON_MS = 7 * DAY_MS;
/** Made for a job of a few days: its end is meant. */
const SHORT_LIFE_MS = 2 * ENDS_SOON_MS;

function isSoon(endsAt: Date, madeAt: Date, now: Date): boolean {
  const leftMs = endsAt.getTime() - now.getTime();
  return leftMs > 0 && leftMs < ENDS_SOON_MS && endsAt.getTime() - madeAt.getTime() > SHORT_LIFE_MS;
}

type ItselfFacts = Omit<
  DoctorFacts,
  "queueAway" | "queueTrouble" | "secrets" | "severalEnvironments" | "targets"
>;

export async function itselfFacts(context: AppContext): Promise<ItselfFacts> {
  const { read } = context.store;
  const now = context.clock.now();
  const meta = await read.meta.read();
  const sealedUnder = await read.sealedTexts.countByKey();
  return {
    now,
    release: context.release,
    setBack: await read.meta.setBack(),
    clockSkewMs: await clockSkewMs(context),
    checksLateMs: await read.checks.lateMs(),
    space: await storeSpace(context),
    recoveryCopy: recoveryCopyOf(context, meta),
    sealing: meta === null ? null : sealingOf(context, meta, sealedUnder),
    keyRings: await keyRingsOf(context, sealedUnder),
    keptCopies: await read.keptCopies.list(),
    values: await valueFacts(context),
    // After the rings were asked, which may have logged in. Doctor runs in the server's process, the watch in a worker's:
    // each reports the token of its own process alone.
    vaultToken: context.vaultToken?.health() ?? null,
    lowBudgets: await read.checks.lowBudgets(LOW_SHARE),
    endingTokens: (await read.tokens.list()).flatMap(({ name, createdAt, expiresAt, revokedAt }) =>
      expiresAt !== null && revokedAt === null && isSoon(expiresAt, createdAt, now)
        ? [{ name, endsAt: expiresAt }]
        : [],
    ),
    mutedChannels: (await read.channels.health()).flatMap(({ name, error }) =>
      error === null ? [] : [{ name, reason: error.message, since: error.since }],
    ),
  };
}

/** Half of the way there and back is not known, and counts as no difference. */
async function clockSkewMs({ store, ownClock }: AppContext): Promise<number> {
  const beforeMs = ownClock.now().getTime();
  const storeMs = await store.read.meta.storeNow();
  const afterMs = ownClock.now().getTime();
  if (storeMs > afterMs) return storeMs - afterMs;
  return storeMs < beforeMs ? storeMs - beforeMs : 0;
}
