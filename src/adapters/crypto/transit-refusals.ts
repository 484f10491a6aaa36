/** What Vault's Transit does not do, in the catalogue's words: what failed, where, why, and what fixes it. */
import { LockstepError } from "../../core/errors.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { TransitTrouble, VaultFailure, VaultVerdict } from "../vault/failure.ts";
import { lackingHint, type Right } from "../vault/rights.ts";
import type { TransitKey } from "../vault/transit.ts";

export interface TransitPlace {
  /** Of the ring, for people. */
  readonly name: string;
  readonly mount: string;
  readonly key: string;
}

/** `what` completes "Cannot …"; `version`: the one that was asked for, where one was. */
export function refusalOf(
  place: TransitPlace,
  what: string,
  version: number | null,
  failure: VaultFailure,
): LockstepError {
  const { verdict, trouble, message, retryAfterMs, status } = failure;
  const details = { keyRing: place.name, ...(status === null ? {} : { status }) };
  if (verdict === "key" && trouble !== null) return ofKey(place, what, version, trouble, details);
  const remedy =
    verdict === "permission" ? lackingHint(failure, ringRights(place)) : REMEDIES[verdict]?.(place);
  const hint = verdict === "protocol" ? ANOTHER_ANSWERS : remedy;
  return new LockstepError(
    remedy === undefined ? "KEY_RING_UNAVAILABLE" : "KEY_RING_REFUSED",
    `Cannot ${what} with the key ring ${place.name}: ${message}.`,
    {
      details,
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

/** Verdicts that somebody must do something about. Any other may pass, or tells nothing: the ring is away. */
const REMEDIES: Partial<Record<VaultVerdict, (place: TransitPlace) => string>> = {
  absent: ({ mount, key }) => `${NOT_MADE} ${makeKey(mount, key)}. ${CHECK_NAMES}`,
  mount: ({ mount }) =>
    `There is no Transit at this mount: ${shellCommand(["vault", "secrets", "enable", `-path=${mount}`, "transit"])}. ${CHECK_NAMES}`,
  namespace: () =>
    "Correct LOCKSTEP_VAULT_NAMESPACE; Vault without Enterprise has no namespaces: leave it out there.",
  token: () =>
    "Give Lockstep a token that is alive, or an AppRole (LOCKSTEP_VAULT_TOKEN_FILE, LOCKSTEP_VAULT_ROLE_ID).",
  login: () => "Check LOCKSTEP_VAULT_ROLE_ID and its secret id, and that the role is still there.",
};

/** A gateway in front may also have failed for a moment, so the ring counts as away. */
const ANOTHER_ANSWERS =
  "If it stays like this, check LOCKSTEP_VAULT_ADDR and LOCKSTEP_VAULT_CA_FILE: something else may answer there.";

/** All that a ring needs, and no right to make a key: as `deploy/vault/policies/key-ring.hcl`. */
export function ringRights({ mount, key }: Pick<TransitPlace, "mount" | "key">): readonly Right[] {
  return [
    { path: `${mount}/encrypt/${key}`, capabilities: ["update"] },
    { path: `${mount}/decrypt/${key}`, capabilities: ["update"] },
    { path: `${mount}/keys/${key}`, capabilities: ["read"] },
  ];
}

const NOT_MADE = "The key is never made by Lockstep. Make it once:";
const CHECK_NAMES =
  "Or check LOCKSTEP_VAULT_TRANSIT_MOUNT, LOCKSTEP_VAULT_TRANSIT_KEY and LOCKSTEP_VAULT_NAMESPACE.";

function makeKey(mount: string, key: string): string {
  return shellCommand(["vault", "write", "-f", `${mount}/keys/${key}`, "type=aes256-gcm96"]);
}

function ofKey(
  { name, mount, key }: TransitPlace,
  what: string,
  version: number | null,
  trouble: TransitTrouble,
  details: Readonly<Record<string, unknown>>,
): LockstepError {
  const refused = (why: string, hint: string): LockstepError =>
    new LockstepError("KEY_RING_REFUSED", `Cannot ${what} with the key ring ${name}: ${why}.`, {
      details,
      hint,
    });
  const of = version === null ? "a version" : `version ${version}`;
  switch (trouble) {
    case "missing":
      return refused("there is no such key in Vault", `${NOT_MADE} ${makeKey(mount, key)}. ${CHECK_NAMES}`);
    case "too-old": {
      const back = shellCommand([
        ...["vault", "write", `${mount}/keys/${key}/config`],
        `min_decryption_version=${version ?? 1}`,
      ]);
      return refused(
        `min_decryption_version of the key was raised above ${of}, which is still needed`,
        `Set it back: ${back}. Then run lockstep rewrap, and raise it only when that says that nothing is left.`,
      );
    }
    case "too-new":
      return refused(
        `Vault does not know ${of} of the key`,
        "Vault was restored from an older backup, or another Vault answers: restore the newer backup, or correct LOCKSTEP_VAULT_ADDR.",
      );
    case "soft-deleted":
      return refused(
        "the key was deleted in Vault, and can still be restored",
        `Restore it: ${shellCommand(["bao", "write", "-f", `${mount}/keys/${key}/soft-delete-restore`])}.`,
      );
    case "unopened":
      return new LockstepError(
        "SEALED_UNREADABLE",
        `A sealed value does not open with the key ring ${name}: it was changed, or sealed under another key.`,
        { details },
      );
  }
}

export function unsuitableKey(
  { name, mount, key }: TransitPlace,
  { type, derived }: TransitKey,
): LockstepError {
  return new LockstepError(
    "KEY_RING_REFUSED",
    derived
      ? `Cannot use the key ring ${name}: its key is derived, so that each use would need a context.`
      : `Cannot use the key ring ${name}: its key is of the type ${/^[\w-]{1,40}$/.test(type) ? type : "unknown"}, which does not seal as Lockstep needs it.`,
    {
      details: { keyRing: name },
      hint: `Make a key of its own for Lockstep, not derived, and name it with LOCKSTEP_VAULT_TRANSIT_KEY: ${makeKey(mount, `${key}-2`)}.`,
    },
  );
}

export function notInTime({ name }: TransitPlace): LockstepError {
  return new LockstepError("KEY_RING_UNAVAILABLE", `The key ring ${name} did not answer in time.`, {
    details: { keyRing: name },
  });
}

/** An answer of another form than Transit's: it is not used, and says nothing. */
export function garbled({ name }: TransitPlace, what: string): LockstepError {
  return new LockstepError(
    "KEY_RING_UNAVAILABLE",
    `Cannot ${what} with the key ring ${name}: what answered does not answer as Transit does.`,
    { details: { keyRing: name } },
  );
}
