/**
 * Finds values that were changed here, at the service itself: something else stands at its place than was settled there,
 * the service accepts that, and refuses ours. It is told to the server alone, sealed, where the machine's owner allows it.
 */
import { observeFiles } from "../../../adapters/placements/placement.ts";
import { isNewer } from "../../../core/drift/authority.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import type { NewerValue } from "../../../protocol/agent/asks.ts";
import { sealMessage } from "../../../protocol/agent/envelope.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { Allowed } from "../apply/allowed.ts";
import type { AgentContext } from "../context.ts";
import { askAbout } from "./ask-services.ts";

type Ask = NonNullable<Bundle["asks"]>[number];
type Slot = Bundle["slots"][number];

const WITHIN_MS = 25_000;
/** A service that answers neither yes nor no about a value is not asked about it again and again. */
const ASK_AGAIN_MS = 300_000;

export class NewerFinder {
  readonly #asked = new Map<
    string,
    { readonly value: string; readonly ours: number; readonly atMs: number }
  >();

  /** Whether something stands there that this has to be asked about. */
  isDue(context: AgentContext, bundle: Bundle, allowed: Allowed): boolean {
    return this.#changed(context, bundle, allowed).length > 0 || context.records.now.newer.length > 0;
  }

  async find(context: AgentContext, bundle: Bundle, allowed: Allowed, signal: AbortSignal): Promise<void> {
    const newer: NewerValue[] = [];
    for (const { ask, slot } of this.#changed(context, bundle, allowed)) {
      const found = await readPlace(context, allowed, slot, signal);
      if (found === null) continue;
      const told = context.records.now.newer.find(({ bindingId }) => bindingId === ask.bindingId);
      const before = this.#asked.get(ask.bindingId);
      const isSame = before?.value === found.reveal() && before.ours === slot.version;
      if (isSame && context.monotonicMs() - before.atMs < ASK_AGAIN_MS) {
        if (told !== undefined) newer.push(told);
        continue;
      }
      this.#asked.set(ask.bindingId, {
        value: found.reveal(),
        ours: slot.version,
        atMs: context.monotonicMs(),
      });
      if (await isFoundNewer(ask, slot, found, allowed, signal))
        newer.push(await sealed(context, bundle, slot, found));
    }
    if (!signal.aborted) await context.records.update({ newer });
  }

  /** As the last look saw it. While something is owed there, what stands there is about to be written. */
  #changed(
    { records }: AgentContext,
    bundle: Bundle,
    allowed: Allowed,
  ): readonly { readonly ask: Ask; readonly slot: Slot }[] {
    const isWritten = bundle.pushId === null || records.now.closedPushId === bundle.pushId;
    if (bundle.takeOverKey === undefined || !isWritten) return [];
    return (bundle.asks ?? []).flatMap((ask) => {
      const slot = bundle.slots.find(
        ({ bindingId, slot: name }) => bindingId === ask.bindingId && name === "primary",
      );
      const seen = records.now.seen.find(
        (item) => item.bindingId === ask.bindingId && item.slot === "primary",
      );
      const isChanged = seen?.found.kind === "unknown" && seen.version === slot?.version;
      if (ask.authority !== true || ask.probe === null || slot === undefined || !isChanged) return [];
      return allowed.mayTell(slot.placement) ? [{ ask, slot }] : [];
    });
  }
}

async function readPlace(
  { host }: AgentContext,
  { files }: Allowed,
  slot: Slot,
  signal: AbortSignal,
): Promise<SecretValue | null> {
  const { keys } = await observeFiles(host, files, [slot], signal);
  const observed = keys.find(({ key }) => key === slot.key)?.observed;
  return observed?.state === "present" ? observed.value : null;
}

async function isFoundNewer(
  { probe }: Ask,
  { value }: Slot,
  found: SecretValue,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<boolean> {
  return await withDeadline(signal, WITHIN_MS, async (limited) => {
    const verdicts = {
      found: (await askAbout(probe ?? {}, found, allowed, limited)).verdict,
      ours: (await askAbout(probe ?? {}, SecretValue.of(value), allowed, limited)).verdict,
    };
    return isNewer(verdicts);
  });
}

async function sealed(
  { identity }: AgentContext,
  { takeOverKey }: Bundle,
  { bindingId, version }: Slot,
  found: SecretValue,
): Promise<NewerValue> {
  const content = { v: 1, kind: "newer", bindingId, instead: version, value: found.reveal() };
  if (takeOverKey === undefined) throw new Error("nobody to seal it to");
  return {
    bindingId,
    sealed: await sealMessage(content, { signWith: identity.signKey, encryptTo: takeOverKey }),
  };
}
