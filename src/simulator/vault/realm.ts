/** One namespace: its mounts, auth methods and policies. */
import { AppRole } from "./access/approle.ts";
import { DEFAULT_POLICY } from "./access/default-policy.ts";
import { type Capability, parsePolicy, type Rule } from "./access/hcl.ts";
import type { TokenStore } from "./access/tokens.ts";
import type { VaultClock } from "./clock.ts";
import { type Kv1Entries, kv1Backend } from "./engines/kv1.ts";
import { kv2Backend } from "./engines/kv2.ts";
import { KvStore } from "./engines/kv2-store.ts";
import { transitBackend } from "./engines/transit.ts";
import type { TransitStore } from "./engines/transit-store.ts";
import type { Features } from "./modes.ts";
import type { Backend } from "./wire/backend.ts";
import { Refused } from "./wire/reply.ts";

export type MountKind = "kv-v1" | "kv-v2" | "transit";

export type Mount = {
  /** With its slash: `secret/`. */
  readonly path: string;
  readonly backend: Backend;
} & (
  | { readonly kind: "kv-v2"; readonly store: KvStore }
  | { readonly kind: "kv-v1"; readonly entries: Kv1Entries }
  | { readonly kind: "transit"; readonly store: TransitStore }
);

export interface RealmNeeds {
  readonly features: Features;
  readonly clock: VaultClock;
  readonly tokens: TokenStore;
  readonly maxEntryBytes: number;
}

interface Policy {
  readonly text: string;
  readonly rules: readonly Rule[];
}

export class Realm {
  /** `""` is the root; others end in `/`. */
  readonly path: string;
  readonly mounts = new Map<string, Mount>();
  /** By `auth/approle/`. */
  readonly appRoles = new Map<string, AppRole>();
  readonly policies = new Map<string, Policy>();
  readonly #needs: RealmNeeds;

  constructor(path: string, needs: RealmNeeds) {
    this.path = path;
    this.#needs = needs;
    this.setPolicy("default", DEFAULT_POLICY);
  }

  setPolicy(name: string, text: string): void {
    const { features } = this.#needs;
    const extra: Capability[] = features.customMetadata ? ["patch"] : [];
    if (features.openbao) extra.push("scan");
    this.policies.set(name.toLowerCase(), { text, rules: parsePolicy(text, extra) });
  }

  rulesOf(policies: readonly string[]): readonly Rule[] {
    const rules = policies.flatMap((name) => this.policies.get(name)?.rules ?? []);
    return rules.map(({ path, capabilities }) => ({ path: this.path + path, capabilities }));
  }

  /** Throws Refused when something stands there. */
  addMount(kind: MountKind, path: string): Mount {
    const full = `${path.replace(/^\/|\/$/g, "")}/`;
    if ([...this.mounts.keys()].some((other) => other.startsWith(full) || full.startsWith(other)))
      throw new Refused(400, `path is already in use at ${full}`);
    const mount = this.#build(kind, full);
    this.mounts.set(full, mount);
    return mount;
  }

  addAppRole(path: string): AppRole {
    const full = `auth/${path.replace(/^\/|\/$/g, "")}/`;
    if (this.appRoles.has(full))
      throw new Refused(400, `path is already in use at ${full.slice("auth/".length)}`);
    const method = new AppRole(this.#needs.tokens, this.#needs.features, full, this.path);
    this.appRoles.set(full, method);
    return method;
  }

  mountOf(path: string): Mount | undefined {
    return longest(this.mounts, path);
  }

  appRoleOf(path: string): { readonly method: AppRole; readonly mount: string } | undefined {
    for (const [mount, method] of this.appRoles) if (path.startsWith(mount)) return { method, mount };
    return undefined;
  }

  #build(kind: MountKind, path: string): Mount {
    const { features, clock, maxEntryBytes } = this.#needs;
    if (kind === "transit") {
      const store: TransitStore = { features, clock, keys: new Map() };
      return { path, kind, store, backend: transitBackend(store) };
    }
    if (kind === "kv-v1") {
      const entries: Kv1Entries = new Map();
      return { path, kind, entries, backend: kv1Backend(entries, features) };
    }
    const store = new KvStore(features, clock, maxEntryBytes);
    return { path, kind, store, backend: kv2Backend(store) };
  }
}

function longest(mounts: ReadonlyMap<string, Mount>, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const [prefix, mount] of mounts)
    if (path.startsWith(prefix) && prefix.length > (found?.path.length ?? 0)) found = mount;
  return found;
}
