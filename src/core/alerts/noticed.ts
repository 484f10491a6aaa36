/**
 * Of which secrets, targets and bindings people would be told, and for how long that stays so by itself. Whoever watches
 * reads these again and leaves the others alone. Pure.
 *
 * Promise: what is left out of a diagnosis because nothing of it is noticed changes no alert. So it may name more than
 * would be told, and never less.
 */
import { diagnosePlaces, type PlaceFacts } from "../doctor/diagnose.ts";
import type { BindingFacts, SecretFacts, TargetFacts } from "../doctor/facts.ts";
import { alertableOf } from "./alertable.ts";

/** What is quiet now is asked again then: the last of these at which it would still be quiet, if nothing else happened. */
const STEPS_MS = [
  2_000,
  5_000,
  15_000,
  30_000,
  60_000,
  120_000,
  300_000,
  900_000,
  3_600_000,
  4 * 3_600_000,
  12 * 3_600_000,
];
/** Whatever is said of it: a check on the marks of what changed. */
const AT_MOST_MS = 24 * 3_600_000;

export interface Notice {
  readonly isNoticed: boolean;
  /** From now: until then only an event changes it. */
  readonly staysMs: number;
}

export interface Notices {
  ofSecret(secret: SecretFacts): Notice;
  ofTarget(target: TargetFacts): Notice;
  ofBinding(secret: SecretFacts, binding: BindingFacts): Notice;
}

export function noticesOf(facts: PlaceFacts): Notices {
  const now = noticed(facts);
  const later = [...STEPS_MS, AT_MOST_MS].map((ms) => ({ ms, noticed: noticedAfter(facts, ms) }));
  const of = (key: string): Notice => {
    if (now.has(key)) return { isNoticed: true, staysMs: AT_MOST_MS };
    const at = later.findIndex((one) => one.noticed.has(key));
    const staysMs = at === -1 ? AT_MOST_MS : (later[at - 1]?.ms ?? STEPS_MS[0] ?? AT_MOST_MS);
    return { isNoticed: false, staysMs };
  };
  return {
    ofSecret: (secret) => of(secretKey(secret)),
    ofTarget: (target) => of(targetKey(target)),
    ofBinding: (secret, binding) => of(bindingKey(secret.name, binding)),
  };
}

function noticedAfter(facts: PlaceFacts, ms: number): ReadonlySet<string> {
  return noticed({ ...facts, now: new Date(facts.now.getTime() + ms) });
}

function noticed(facts: PlaceFacts): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const finding of diagnosePlaces(facts)) {
    const { environment, secret, target, placement, key } = finding;
    if (alertableOf(finding).length === 0 || environment === null) continue;
    if (secret === null) keys.add(targetKey({ environment, name: target ?? "" }));
    else if (target === null) keys.add(secretKey({ environment, name: secret }));
    else
      keys.add(
        bindingKey(secret, {
          targetEnvironment: environment,
          target,
          placement: placement ?? "",
          key: key ?? "",
        }),
      );
  }
  // Each is left unsaid while another finding says more; once that is over, it is said.
  for (const secret of facts.secrets) if (secret.rollout?.state === "stalled") keys.add(secretKey(secret));
  for (const target of facts.targets) if (target.gaveUp) keys.add(targetKey(target));
  return keys;
}

function secretKey({ environment, name }: Pick<SecretFacts, "environment" | "name">): string {
  return JSON.stringify(["secret", environment, name]);
}

function targetKey({ environment, name }: Pick<TargetFacts, "environment" | "name">): string {
  return JSON.stringify(["target", environment, name]);
}

function bindingKey(
  secret: string,
  {
    targetEnvironment,
    target,
    placement,
    key,
  }: Pick<BindingFacts, "targetEnvironment" | "target" | "placement" | "key">,
): string {
  return JSON.stringify(["binding", targetEnvironment, target, placement, key, secret]);
}
