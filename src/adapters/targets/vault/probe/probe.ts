/**
 * `target test` for a path in Vault: log-in and the own token's life, the namespace, the engine, the rights with the policy
 * that gives them, and what stands there. Changes nothing.
 */
import { LockstepError, toLockstepError } from "../../../../core/errors.ts";
import { failedCheck } from "../../../../core/failed-check.ts";
import type { ProbeCheck, ProbeResult } from "../../../../core/ports/target.ts";
import { withDeadline } from "../../../../lib/with-deadline.ts";
import { OWN_TOKEN_RIGHTS, policyText } from "../../../vault/rights.ts";
import type { OwnToken } from "../../../vault/vault.ts";
import { asTarget } from "../errors.ts";
import { keyName, versionOf } from "../secret/map.ts";
import type { Place } from "../secret/place.ts";
import { configAnswer, metadataAnswer, readAnswer, rightsAnswer } from "./answers.ts";
import { judgeToken, readCreation } from "./own-token.ts";
import { missingRights, neededRights } from "./policy.ts";
import { oldVersionsText, settingsText } from "./words.ts";

export async function probe(
  place: Place,
  signal: AbortSignal,
  now: () => Date = () => new Date(),
): Promise<ProbeResult> {
  const { config } = place;
  const checks: ProbeCheck[] = [];
  const check = async (name: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      checks.push({ name, ok: true, message: await work() });
      return true;
    } catch (error) {
      checks.push(failedCheck(name, error));
      return false;
    }
  };
  let own: OwnToken | null = null;
  await check("log-in", async () => {
    own = await lookUp(place, signal);
    const by =
      config.login.kind === "token"
        ? "the token lives"
        : `logged in at the auth method ${config.login.mount}`;
    // Whoever ignores namespaces was refused by the line.
    return config.namespace === null ? by : `${by}; the server keeps to the namespace ${config.namespace}`;
  });
  if (own === null) return { ok: false, checks };
  const token: OwnToken = own;
  await check("token", () => checkToken(place, token, now(), signal));
  const isVersion2 = await check("engine", () => checkEngine(place, signal));
  if (isVersion2) {
    await check("rights", () => checkRights(place, signal));
    const isRead = await check("path", () => checkPath(place, signal));
    if (isRead) await check("versions", () => checkVersions(place, signal));
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}

async function lookUp(place: Place, signal: AbortSignal): Promise<OwnToken> {
  const asking = { ...place.asking("log in"), rights: [OWN_TOKEN_RIGHTS.lookup] };
  return await asTarget(asking, () => limited(place, signal, (soon) => place.line.vault.lookupSelf(soon)));
}

async function checkToken(place: Place, own: OwnToken, now: Date, signal: AbortSignal): Promise<string> {
  const createdAt = await limited(place, signal, (soon) => readCreation(place.line.vault, soon)).catch(
    () => null,
  );
  return judgeToken(own, { login: place.config.login.kind, createdAt, now, target: place.target });
}

async function checkEngine(place: Place, signal: AbortSignal): Promise<string> {
  const { mount } = place.config;
  const version = await asTarget(place.asking("see the engine"), () =>
    limited(place, signal, (soon) => place.line.kv.engineVersion(mount, soon)),
  );
  if (version === 2) return `${mount} is a KV engine of version 2`;
  if (version === null)
    return `there is no engine ${mount}, or the token has no right below it and may not see it; \`vault secrets list\` shows what is mounted`;
  throw new LockstepError(
    "TARGET_MISSING",
    `The mount ${mount} is a KV engine of version 1, which refuses no older write.`,
    {
      hint: `Name a mount of version 2, or make one of it: \`vault kv enable-versioning ${mount}\`.`,
    },
  );
}

async function checkRights(place: Place, signal: AbortSignal): Promise<string> {
  const { config } = place;
  const needed = neededRights(config);
  const paths = needed.map(({ path }) => path);
  const call = {
    method: "POST",
    path: ["sys", "capabilities-self"],
    body: { paths },
    writes: false,
  } as const;
  const asking = { ...place.asking("see the token's rights"), rights: [OWN_TOKEN_RIGHTS.capabilities] };
  let held: ReadonlyMap<string, readonly string[]>;
  try {
    const answer = await asTarget(asking, () =>
      limited(place, signal, (soon) => place.line.vault.call(call, soon)),
    );
    held = rightsAnswer(answer.body, paths);
  } catch (error) {
    const { code, hint } = toLockstepError(error);
    if (code !== "TARGET_PERMISSION") throw error;
    return `the token may not see its own rights, so nobody can say which are missing. ${hint}`;
  }
  const missing = missingRights(needed, held);
  if (missing.length === 0) return "the token has all that this configuration needs";
  const where = config.namespace === null ? "" : `, in the namespace ${config.namespace}`;
  const why = missing.map(({ path, why: what }) => `${path} (${what})`).join("; ");
  throw new LockstepError("TARGET_PERMISSION", `The token lacks rights at ${why}.`, {
    hint: `All that this configuration needs, as a policy${where}: ${policyText(needed).replaceAll("\n", " ")}`,
  });
}

async function checkPath(place: Place, signal: AbortSignal): Promise<string> {
  const read = await place.read(signal);
  switch (read.state) {
    case "present": {
      const [inexact] = read.inexactKeys;
      const keys = Object.keys(read.data).length;
      return inexact === undefined
        ? `version ${read.version}, with ${keys === 1 ? "1 key" : `${keys} keys`}`
        : `version ${read.version}; its key ${keyName(inexact)} holds a number that would be rounded, so that nothing is written until it is text`;
    }
    case "absent":
      return "nothing stands there yet; it will be made";
    default:
      return `version ${versionOf(read)} was ${read.state}; a change writes the next one, and brings nothing of it back`;
  }
}

/** What reading the metadata and the mount's settings tells, as far as the token may. */
async function checkVersions(place: Place, signal: AbortSignal): Promise<string> {
  const { mount, path } = place.config;
  const engine = mount.split("/");
  const ask = async (segments: readonly string[]): Promise<unknown> => {
    const call = { method: "GET", path: [...engine, ...segments], writes: false } as const;
    return await limited(place, signal, (soon) => place.line.vault.call(call, soon)).then(
      ({ body }) => body,
      () => null,
    );
  };
  const metadata = readAnswer(metadataAnswer, await ask(["metadata", ...path.split("/")]));
  const settings = readAnswer(configAnswer, await ask(["config"]));
  const words = [...settingsText(metadata, settings), ...oldVersionsText(place.config, metadata)];
  return words.length === 0 ? "the settings of its versions could not be seen" : words.join(" ");
}

async function limited<T>(
  place: Place,
  signal: AbortSignal,
  work: (soon: AbortSignal) => Promise<T>,
): Promise<T> {
  return await withDeadline(signal, place.config.requestTimeoutMs, work);
}
