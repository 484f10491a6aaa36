/** Takes a bundle apart and asks the host's policy about each part, so that one refusal does not keep the rest back. */
import { type PlacedFile, placedFileSchema } from "../../../adapters/placements/placement.ts";
import { toLockstepError } from "../../../core/errors.ts";
import type { Bundle, PolicyRefusal } from "../../../protocol/agent/messages.ts";
import { checkPolicy, type PolicyPlace, type PolicyRequest, requestOf } from "../policy/check-policy.ts";
import type { Policy } from "../policy/policy.ts";
import { resolveActivation } from "../policy/resolve-activation.ts";
import type { Allowed } from "./allowed.ts";

const NOTHING: PolicyRequest = {
  files: [],
  units: [],
  commands: [],
  environment: [],
  urls: [],
  counts: [],
  authorities: [],
  copies: [],
};
const WHY_NOT = "the policy of this host does not allow it";

/** `hasChild`: without one nothing of the environment is asked for. */
export function judgeBundle(bundle: Bundle, policy: Policy, place: PolicyPlace, hasChild: boolean): Allowed {
  const asked = requestOf(bundle);
  const refused: PolicyRefusal[] = [];
  const isAllowed = (part: Partial<PolicyRequest>): boolean => {
    const verdict = checkPolicy(policy, { ...NOTHING, ...part }, place);
    if (!verdict.allowed) refused.push(...verdict.refusals);
    return verdict.allowed;
  };
  const files: PlacedFile[] = [];
  const barred = new Set<string>();
  for (const file of asked.files) {
    const placed = placedFileSchema.safeParse(bundle.files.find(({ path }) => path === file.path));
    if (!isAllowed({ files: [{ ...file, keys: [] }] })) continue;
    if (!placed.success) {
      refused.push({
        what: `file ${file.path}`.slice(0, 200),
        reason: "this release does not know its format or mode",
        add: "",
      });
      continue;
    }
    files.push(placed.data);
    for (const key of file.keys) {
      if (!isAllowed({ files: [{ ...file, keys: [key] }] })) barred.add(addressOf(file.path, key));
    }
  }
  if (hasChild) {
    for (const key of asked.environment)
      if (!isAllowed({ environment: [key] })) barred.add(addressOf("", key));
  }
  const urls = new Set(asked.urls.filter((url) => isAllowed({ urls: [url] })));
  const counts = new Set(asked.counts.filter((file) => isAllowed({ counts: [file] })));
  const authorities = new Set(asked.authorities.filter((file) => isAllowed({ authorities: [file] })));
  const named = asked.copies.filter((file) => isAllowed({ copies: [file] }));
  const paths = new Set(files.map(({ path }) => path));
  return {
    files,
    ...activationOf(bundle, policy, place, hasChild, refused),
    whyNot: ({ placement, key }) => {
      if (placement !== "" && !paths.has(placement)) return WHY_NOT;
      return barred.has(addressOf(placement, key)) ? WHY_NOT : null;
    },
    mayAsk: (where) => ("url" in where ? urls.has(where.url) : counts.has(where.file)),
    searched: { named, all: policy.copies },
    mayTell: (placement) => authorities.has(placement),
    refused: distinct(refused),
  };
}

/** A restart without its health check would be told as better than it is known to be: both, or none. */
function activationOf(
  bundle: Bundle,
  policy: Policy,
  place: PolicyPlace,
  hasChild: boolean,
  refused: PolicyRefusal[],
): Pick<Allowed, "activation" | "health"> {
  const none = { activation: null, health: null };
  if (bundle.activate === null || hasChild) return none;
  const { units, commands, restart } = requestOf(bundle);
  const asked = { ...NOTHING, units, commands, ...(restart === undefined ? {} : { restart }) };
  const verdict = checkPolicy(policy, asked, place);
  if (!verdict.allowed) {
    refused.push(...verdict.refusals);
    return none;
  }
  try {
    const { activate, health } = resolveActivation(bundle, policy);
    return { activation: activate, health };
  } catch (error) {
    refused.push({ what: "restart", reason: toLockstepError(error).message.slice(0, 500), add: "" });
    return none;
  }
}

function addressOf(placement: string, key: string): string {
  return `${placement}\u0000${key}`;
}

function distinct(refusals: readonly PolicyRefusal[]): readonly PolicyRefusal[] {
  return [...new Map(refusals.map((one) => [JSON.stringify(one), one])).values()];
}
