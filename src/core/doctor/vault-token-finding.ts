/**
 * What is wrong with the token by which Lockstep speaks to its Vault, before or after something fails. Pure.
 *
 * Each process has a token of its own: doctor tells of the server's, the watch of its worker's.
 */
import { durationText } from "../../lib/age.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import { toldBeforeMs } from "../ends-soon.ts";
import type { VaultLogIn, VaultTokenHealth } from "../ports/vault-token.ts";
import { listText } from "./consequences.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, ITSELF } from "./finding.ts";

const FED_LIFE_MS = 2 * 24 * 3_600_000;

export function ofVaultToken(facts: DoctorFacts): readonly Finding[] {
  const { vaultToken: token, now } = facts;
  if (token === null) return [];
  const [trouble] = [...refused(token, facts), ...notRenewed(token, facts), ...ends(token, now)];
  return [...(trouble === undefined ? [] : [trouble]), ...usesEnd(token)];
}

/** What a person does about a refused log-in, where that is why something is away; null: it is not. */
export function refusedRemedy({ vaultToken }: DoctorFacts): string | null {
  if (vaultToken?.state !== "refused" || vaultToken.isHeld) return null;
  return remedyOf(vaultToken.logIn);
}

/** What is away for it says it already, with the same remedy. */
function refused(token: VaultTokenHealth, facts: DoctorFacts): readonly Finding[] {
  const { state, isHeld, endsAt, failure, logIn } = token;
  if (state !== "refused" || (!isHeld && isToldAway(facts))) return [];
  const held = isHeld
    ? ` The token that it still holds ${endsAt === null ? "serves until it is refused" : endText(endsAt, facts.now)}.`
    : "";
  return [
    {
      ...ITSELF,
      id: "vault-log-in-refused",
      severity: "wrong",
      what: `Vault refuses Lockstep's log-in.${held}`,
      cause: `${reasonText(failure)} A person must act: ${remedyOf(logIn)}`,
      consequence: [isHeld ? withoutIt("From then on", token) : withoutIt("Until then", token)],
      command: null,
    },
  ];
}

/** A server that is away tells the same of what it keeps. */
function notRenewed(token: VaultTokenHealth, facts: DoctorFacts): readonly Finding[] {
  const { state, isHeld, endsAt, failure, logIn } = token;
  if (state !== "failing" || !isHeld || endsAt === null || isToldAway(facts)) return [];
  const hint = failure?.hint ?? null;
  return [
    {
      ...ITSELF,
      id: "vault-token-not-renewed",
      severity: "wrong",
      what: `Lockstep's token for Vault could not be renewed, and ${endText(endsAt, facts.now)}.`,
      cause: `${reasonText(failure)} Lockstep tries again until then.${hint === null ? "" : ` ${hint}`} Otherwise: ${remedyOf(logIn)}`,
      consequence: [withoutIt("Unless that succeeds, from then on", token)],
      command: null,
    },
  ];
}

function ends(token: VaultTokenHealth, now: Date): readonly Finding[] {
  const { isHeld, endsForGoodAt, logIn } = token;
  if (!isHeld || endsForGoodAt === null) return [];
  if (endsForGoodAt.getTime() - now.getTime() > beforeMs(token, endsForGoodAt)) return [];
  return [
    {
      ...ITSELF,
      id: "vault-token-ends",
      severity: "wrong",
      what: `Lockstep's token for Vault ${endText(endsForGoodAt, now)}, and cannot be renewed beyond that.`,
      cause: `The token cannot be renewed, or only up to a limit. ${remedyOf(logIn)}`,
      consequence: [withoutIt("From then on", token)],
      command: null,
    },
  ];
}

/** Some program renews a file whose tokens live for a day: of those only the last tenth is news. */
function beforeMs({ logIn, madeAt }: VaultTokenHealth, endsAt: Date): number {
  const lifeMs = madeAt === null ? Number.POSITIVE_INFINITY : endsAt.getTime() - madeAt.getTime();
  const isFed = logIn.kind === "token-file" && lifeMs <= FED_LIFE_MS;
  return isFed ? lifeMs / 10 : toldBeforeMs(endsAt, madeAt);
}

/** Of a role's token nothing is lost: it logs in anew. */
function usesEnd(token: VaultTokenHealth): readonly Finding[] {
  const { usesLeft, isHeld, logIn } = token;
  if (usesLeft === null || !isHeld || "mount" in logIn) return [];
  return [
    {
      ...ITSELF,
      id: "vault-token-uses-end",
      severity: "wrong",
      what: `Lockstep's token for Vault ends after ${usesLeft === 1 ? "one more use" : `${usesLeft} more uses`}.`,
      cause: `The token was made with a limit of uses (\`-use-limit\`), and each request to Vault uses one. ${remedyOf(logIn)}`,
      consequence: [withoutIt("From then on", token)],
      command: null,
    },
  ];
}

function isToldAway({ keyRings, values }: DoctorFacts): boolean {
  return values.away !== null || keyRings.some(({ away }) => away !== null);
}

/** Its policies' names are the reader's: no line that gives more than those is ready to paste. */
const NEW_TOKEN = `${shellCommand(["vault", "token", "create", "-orphan", "-period=24h"])} -policy=… for each of its policies`;

function remedyOf(logIn: VaultLogIn): string {
  switch (logIn.kind) {
    case "token":
      return `Make another token (${NEW_TOKEN}), set it as LOCKSTEP_VAULT_TOKEN and start Lockstep again. A token in LOCKSTEP_VAULT_TOKEN_FILE can be replaced without a restart, and an AppRole (LOCKSTEP_VAULT_ROLE_ID) logs in again by itself.`;
    case "token-file":
      return `Put another token (${NEW_TOKEN}) into the file that LOCKSTEP_VAULT_TOKEN_FILE names: Lockstep reads it again without a restart.`;
    case "secret-id":
      return `Make a new secret id of its role (${newSecretId(logIn.mount)}), set it as LOCKSTEP_VAULT_SECRET_ID and start Lockstep again. Also check that the role is still there, and that LOCKSTEP_VAULT_ROLE_ID is its id.`;
    case "secret-id-file":
      return `Put a new secret id of its role (${newSecretId(logIn.mount)}) into the file that LOCKSTEP_VAULT_SECRET_ID_FILE names: Lockstep reads it at the next try, without a restart. Also check that the role is still there, and that LOCKSTEP_VAULT_ROLE_ID is its id.`;
    case "wrapped-secret-id":
      return `Wrap a new secret id of its role (${newSecretId(logIn.mount, "-wrap-ttl=10m")}), set the wrapping token as LOCKSTEP_VAULT_WRAPPED_SECRET_ID and start Lockstep again before that token ends. Also check that the role is still there, and that LOCKSTEP_VAULT_ROLE_ID is its id.`;
  }
}

/** The role's name is not known here: it stands for what the reader puts in. */
function newSecretId(mount: string, ...flags: readonly string[]): string {
  return shellCommand(["vault", "write", ...flags, "-f", `auth/${mount}/role/ROLE/secret-id`]);
}

function withoutIt(when: string, { keeps }: VaultTokenHealth): string {
  const what = keeps.length === 0 ? "what is still stored there" : listText(keeps);
  return `${when} Lockstep cannot read or write ${what}: work that needs a value or a credential waits, and places keep what they have.`;
}

function reasonText(failure: VaultTokenHealth["failure"]): string {
  const reason = failure?.reason ?? "the reason is not known";
  return `${reason[0]?.toUpperCase()}${reason.slice(1)}.`;
}

function endText(endsAt: Date, now: Date): string {
  const leftMs = endsAt.getTime() - now.getTime();
  return leftMs <= 0
    ? `has ended (${endsAt.toISOString()})`
    : `ends in ${durationText(leftMs)} (${endsAt.toISOString()})`;
}
