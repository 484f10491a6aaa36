/** What is wrong about a token that ends by itself: it has ended, or nobody gets the next one. Pure. */
import { durationText } from "../../lib/age.ts";
import type { Commands } from "./commands.ts";
import { listText } from "./consequences.ts";
import type { SecretFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

export function diagnoseToken(secret: SecretFacts, now: Date, commands: Commands): readonly Finding[] {
  const { token } = secret;
  if (token === null) return [];
  const isExpired = token.expiresAt !== null && token.expiresAt <= now;
  const isAtRisk = token.mustAct || token.failures >= 2;
  if (!isExpired && !isAtRisk) return token.expiresAt === null ? withoutEnd(secret, commands) : [];
  const callers = secret.bindings.filter(({ role }) => role !== "verifier").map(({ target }) => target);
  const cause =
    token.error === null
      ? "Nobody has asked its issuer for the next one yet."
      : `${token.mustAct ? "A person must act" : `${token.failures} tries in a row failed`}; the last error: ${token.error}`;
  return [
    {
      id: isExpired ? "token-expired" : "token-not-renewed",
      severity: "wrong",
      secret: secret.name,
      target: null,
      key: null,
      placement: null,
      environment: secret.environment,
      what: whatText(secret, now, token.expiresAt, isExpired),
      cause,
      consequence:
        isExpired && callers.length > 0
          ? [`Services that check this token refuse ${listText([...new Set(callers)])}.`]
          : [],
      command:
        token.mustAct && token.usedUp !== null
          ? commands.setSecret(secret, token.usedUp)
          : commands.renew(secret),
    },
  ];
}

/** Not wrong as long as it is accepted; and that ends one day without a word. */
function withoutEnd(secret: SecretFacts, commands: Commands): readonly Finding[] {
  const { name, current, environment } = secret;
  if (current === null) return [];
  return [
    {
      id: "token-without-end",
      severity: "hint",
      secret: name,
      target: null,
      key: null,
      placement: null,
      environment,
      what: `v${current} of ${name} has no known end, so Lockstep never renews it by itself.`,
      cause: `Neither its issuer's answer nor \`life\` in its \`issue:\` says how long the token lives. If it does end, set \`life\` there and run \`${commands.apply()}\`; the command below then gets a token that Lockstep renews in time.`,
      consequence: [],
      command: commands.renew(secret),
    },
  ];
}

function whatText(
  { name, current }: SecretFacts,
  now: Date,
  expiresAt: Date | null,
  isExpired: boolean,
): string {
  if (current === null) return `${name} has no token.`;
  if (expiresAt === null) return `Lockstep cannot get the next token of ${name}.`;
  const ms = Math.abs(expiresAt.getTime() - now.getTime());
  return isExpired
    ? `v${current} of ${name} expired ${durationText(ms)} ago.`
    : `v${current} of ${name} expires in ${durationText(ms)}, and Lockstep could not renew it.`;
}
