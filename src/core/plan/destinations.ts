/**
 * Where values and credentials would go that did not go there before: what a person must look at before applying. Pure.
 *
 * Addresses of targets; URLs that a probe sends the value to; URLs that use counts are read from, with their token;
 * issuers, which are sent secrets of the same environment.
 */
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { ConfigPath } from "../../protocol/config-problem.ts";
import { type Probe, urlsOf } from "../../protocol/probe.ts";
import { askedIn } from "../binding-options.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { policyOf } from "../policy.ts";
import type { StoredConfig } from "../store/config.ts";
import { type DesiredConfig, targetId } from "./desired-config.ts";
import { bindingId } from "./diff-config.ts";

export interface PlannedDestination {
  readonly subject: "target" | "probe" | "usage" | "issuer" | "channel";
  readonly change: "new" | "changed";
  readonly environment: string;
  readonly name: string;
  /** Kind, origin and pin, or a URL. Null: it stands in the credential itself, which was not sent. */
  readonly address: string | null;
  readonly path: ConfigPath;
}

/** `known`: by `targetId`, the targets whose destination was applied. */
export function newDestinations(
  desired: DesiredConfig,
  stored: StoredConfig,
  known: ReadonlySet<string>,
): readonly PlannedDestination[] {
  const targets = new Set(stored.targets.map(({ environment, name }) => targetId(environment, name)));
  const bindings = new Map(stored.bindings.map((binding) => [bindingId(binding), binding.options]));
  const secrets = new Map(stored.secrets.map((secret) => [`${secret.environment}/${secret.name}`, secret]));
  return [
    ...desired.targets
      .filter(({ environment, name }) => !known.has(targetId(environment, name)))
      .map(({ environment, name, destination, path }): PlannedDestination => {
        const change = targets.has(targetId(environment, name)) ? "changed" : "new";
        return { subject: "target", change, environment, name, address: destination, path };
      }),
    ...desired.bindings.flatMap((binding) => {
      const before = bindings.get(bindingId(binding));
      const { secretEnvironment: environment, secret: name, path } = binding;
      return [
        ...added(probeUrls(before), probeUrls(binding.options)).map((found) => ({
          ...found,
          subject: "probe" as const,
          environment,
          name,
          path: [...path, "probe"],
        })),
        ...added(usageUrls(before), usageUrls(binding.options)).map((found) => ({
          ...found,
          subject: "usage" as const,
          environment,
          name,
          path: [...path, "usage"],
        })),
      ];
    }),
    ...desired.secrets.flatMap(({ environment, name, policy, path }) =>
      added(issuerUrls(secrets.get(`${environment}/${name}`)?.policy), issuerUrls(policy)).map((found) => ({
        ...found,
        subject: "issuer" as const,
        environment,
        name,
        path: [...path, "issue"],
      })),
    ),
  ];
}

function added(
  before: readonly string[],
  now: readonly string[],
): readonly { readonly address: string; readonly change: "new" | "changed" }[] {
  const change = before.length === 0 ? "new" : "changed";
  return now.filter((address) => !before.includes(address)).map((address) => ({ address, change }));
}

function probeUrls(options: JsonObject | undefined): readonly string[] {
  const { probe } = askedIn(options ?? {});
  if (probe === null) return [];
  const { command } = probe;
  // Nobody else's machine, but a program that is handed the value.
  return isJsonObject(command)
    ? [`command ${canonicalJson(command["run"])}`]
    : urlsOf(probe as unknown as Probe);
}

function usageUrls(options: JsonObject | undefined): readonly string[] {
  const { url, from } = askedIn(options ?? {}).usage ?? {};
  return typeof url === "string" ? [from === "target" ? `${url} from the target` : url] : [];
}

function issuerUrls(policy: JsonObject | undefined): readonly string[] {
  const { http, oauth2 } = policyOf(policy ?? {}).issue?.stored ?? {};
  const urls = [isJsonObject(http) ? http["url"] : null, isJsonObject(oauth2) ? oauth2["tokenUrl"] : null];
  return urls.filter((url) => typeof url === "string");
}
