/** What `plan` answers. Holds names, states and counts; never a value, a fingerprint or a reference's text. */

import type { PlanProblem } from "../../core/plan/check-difference.ts";
import type { PlannedDestination } from "../../core/plan/destinations.ts";
import type { Difference } from "../../core/plan/diff-config.ts";
import type { PlaceState } from "../../core/plan/place-state.ts";
import type { Role } from "../../core/secret.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";
import type { ChannelDifference } from "./channel-config.ts";

export interface PlannedChange {
  readonly subject: "environment" | "secret" | "target" | "binding" | "key" | "channel";
  readonly action: "create" | "change" | "remove" | "delete" | "take-over";
  readonly environment: string;
  /** The secret's or target's name. */
  readonly name: string;
  readonly target?: string;
  readonly key?: string;
  readonly changed?: readonly string[];
  /** One line for people. */
  readonly text: string;
  /** Where the configuration asks for it; empty for what it does not hold any more. */
  readonly path: ConfigPath;
}

export interface PlannedPlace {
  readonly environment: string;
  readonly secret: string;
  readonly targetEnvironment: string;
  readonly target: string;
  readonly placement: string;
  readonly key: string;
  readonly role: Role;
  /** Null: the secret has no value yet. */
  readonly wantedVersion: number | null;
  readonly place: PlaceState;
  /** What stands there goes with this apply, or with what is owed already. */
  readonly overwritten: boolean;
  readonly path: ConfigPath;
}

export interface PlannedAdoption {
  readonly environment: string;
  readonly secret: string;
  /** Places of one group hold equal values; "A" is the largest. */
  readonly groups: readonly {
    readonly label: string;
    readonly places: readonly { readonly target: string; readonly key: string; readonly role: Role }[];
  }[];
  /** The command that decides. */
  readonly next: string;
}

/** Written by Lockstep, not bound any more, and left in place: `--prune` deletes it. */
interface LeftInPlace {
  readonly environment: string;
  readonly secret: string;
  readonly target: string;
  readonly key: string;
}

export interface ConfigPlan {
  /** False: applying would change nothing. */
  readonly hasChanges: boolean;
  readonly changes: readonly PlannedChange[];
  readonly places: readonly PlannedPlace[];
  readonly adoption: readonly PlannedAdoption[];
  /** Where values and credentials would go that did not go there before. */
  readonly destinations: readonly PlannedDestination[];
  readonly leftInPlace: readonly LeftInPlace[];
  /** Applying is refused while there are any. */
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly ConfigProblem[];
  /** Of what was shown: `apply` refuses when it is not the same any more. */
  readonly digest: string;
}

export function viewChannel({ action, name, said }: ChannelDifference): PlannedChange {
  return {
    subject: "channel",
    action,
    environment: "",
    name,
    text: `${action} alert channel ${name}${said === null ? "" : `, ${said.kind}`}`,
    path: ["alerts", name],
  };
}

export function viewDifference(difference: Difference): PlannedChange {
  switch (difference.subject) {
    case "environment":
      return {
        ...head(difference, difference.name, difference.name),
        text: `create environment ${difference.name}`,
        path: ["environments", difference.name],
      };
    case "secret": {
      const { environment, name } = "desired" in difference ? difference.desired : difference.stored;
      return {
        ...head(difference, environment, name),
        text: `${difference.action} secret ${environment}/${name}`,
        path: pathOf(difference),
      };
    }
    case "target": {
      const { environment, name } = "desired" in difference ? difference.desired : difference.stored;
      const changed = "changed" in difference ? difference.changed : [];
      return {
        ...head(difference, environment, name),
        ...(changed.length === 0 ? {} : { changed }),
        text: `${difference.action} target ${environment}/${name}${inBrackets(changed)}`,
        path: pathOf(difference),
      };
    }
    case "binding": {
      const binding = "desired" in difference ? difference.desired : difference.stored;
      const changed = "changed" in difference ? difference.changed : [];
      const at = `${binding.secretEnvironment}/${binding.secret} at ${binding.target} as ${binding.key}`;
      const detail = difference.action === "remove" ? "" : `, ${binding.role}${inBrackets(changed)}`;
      return {
        ...head(difference, binding.secretEnvironment, binding.secret),
        target: binding.target,
        key: binding.key,
        ...(changed.length === 0 ? {} : { changed }),
        text: `${difference.action} binding ${at}${detail}`,
        path: pathOf(difference),
      };
    }
    case "key": {
      const { secretEnvironment, secret, target, key } = difference.owned;
      return {
        ...head(difference, secretEnvironment, secret),
        target,
        key,
        text: `delete ${key} at ${target}, which Lockstep wrote for ${secretEnvironment}/${secret}`,
        path: [],
      };
    }
  }
}

function head<Subject extends PlannedChange["subject"], Action extends PlannedChange["action"]>(
  { subject, action }: { readonly subject: Subject; readonly action: Action },
  environment: string,
  name: string,
) {
  return { subject, action, environment, name };
}

function pathOf(difference: Difference): ConfigPath {
  return "desired" in difference ? difference.desired.path : [];
}

function inBrackets(changed: readonly string[]): string {
  return changed.length === 0 ? "" : ` (${changed.join(", ")})`;
}
