/**
 * A foreign value that is another secret's: staging's in production's place, the gateway's token under the partner's key.
 * Compared by fingerprints, so that no value is opened for it.
 *
 * Whoever may write to a place and read the status learns whether a guess is some secret's value, at the pace of looks:
 * short values, which could be guessed, are never named.
 */

import type { ObservedKey } from "../../core/ports/place.ts";
import { addressText, elsewhereText, type PlannedItem } from "../../core/reconcile/plan-change.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { SecretRecord } from "../../core/store/secrets.ts";
import type { AppContext } from "../base/context.ts";
import { serializeFields } from "../values/secret-fields.ts";

const MIN_TELLING_LENGTH = 16;
/** Of one look; a place that was replaced as a whole is recognised by fewer. */
const MAX_NAMED = 10;

export async function nameElsewhere(
  context: AppContext,
  items: readonly PlannedItem[],
  keys: readonly ObservedKey[],
): Promise<readonly PlannedItem[]> {
  const values = new Map(
    keys.flatMap((seen) =>
      seen.observed.state === "present" && seen.observed.value.reveal().length >= MIN_TELLING_LENGTH
        ? [[addressText(seen), seen.observed.value] as const]
        : [],
    ),
  );
  const foreign = items
    .filter((item) => isForeign(item) && values.has(addressText(item)))
    .slice(0, MAX_NAMED);
  if (foreign.length === 0) return items;
  const secrets = await context.store.read.secrets.list();
  const named = new Map<PlannedItem, PlannedItem>();
  for (const item of foreign) {
    const value = values.get(addressText(item));
    const nearly = value === undefined ? null : await nameOf(context, secrets, item, value);
    if (nearly !== null) named.set(item, { ...item, found: { kind: "unknown", nearly } });
  }
  return items.map((item) => named.get(item) ?? item);
}

function isForeign({ found }: PlannedItem): boolean {
  return found.kind === "unknown" && found.nearly === undefined;
}

async function nameOf(
  context: AppContext,
  secrets: readonly SecretRecord[],
  { secretId }: PlannedItem,
  value: SecretValue,
): Promise<string | null> {
  const whole = SecretValue.of(serializeFields(new Map([[PLAIN_FIELD, value]])));
  const fingerprints = new Map(secrets.map(({ id }) => [id, context.fingerprinter.fingerprint(id, whole)]));
  const [found] = await context.store.read.secrets.versionsWithFingerprint(fingerprints);
  const other = secrets.find(({ id }) => id === found?.secretId);
  const own = secrets.find(({ id }) => id === secretId);
  if (found === undefined || other === undefined || own === undefined) return null;
  return elsewhereText({
    version: found.version,
    name: other.name,
    environment: other.environment === own.environment ? null : other.environment,
    isOwn: other.id === own.id,
  });
}
