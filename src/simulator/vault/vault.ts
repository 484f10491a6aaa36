/**
 * A stand-in for Vault and OpenBao on loopback: their HTTP API as far as Lockstep speaks it, with real policies, and
 * everything that is known to go wrong with it. The same expectations hold it and real servers (test/conformance/vault).
 *
 * Promises: it speaks real HTTP, or HTTPS; what the real servers refuse, it refuses, with their status and text; nothing
 * happens that a call, a command or the clock did not cause; every request is on record, values apart.
 */

import type { TokenWish } from "./access/tokens.ts";
import type { VaultClock } from "./clock.ts";
import { Core } from "./core.ts";
import { UPGRADING } from "./engines/kv2-store.ts";
import type { Staleness } from "./engines/stale-view.ts";
import type { Fault, FaultMatch } from "./faults/fault.ts";
import { FaultBoard, type FaultHandle } from "./faults/fault-board.ts";
import type { NodeState } from "./health.ts";
import { featuresOf, type VaultMode } from "./modes.ts";
import type { Mount, MountKind, Realm } from "./realm.ts";
import { CallRecord, type Offence } from "./record.ts";
import { listen, type Tls } from "./server.ts";

export type { Fault, FaultMatch } from "./faults/fault.ts";
export type { FaultHandle } from "./faults/fault-board.ts";
export { VAULT_MODES, type VaultMode } from "./modes.ts";

export interface VaultOptions {
  /** Default `vault-1.21`. */
  readonly mode?: VaultMode;
  readonly tls?: Tls;
  /** Default: real time. `ManualClock` of the Railway simulator will do. */
  readonly clock?: VaultClock;
  /** Default: a free one. */
  readonly port?: number;
  /** Of one stored map; default 1 MiB, as raft has it. */
  readonly maxEntryBytes?: number;
  /** Writes answer `X-Vault-Index`. */
  readonly indexHeaders?: boolean;
}

export interface AppRoleHandle {
  /** `auth/<mount>`, without `auth/`. */
  readonly mount: string;
  readonly role: string;
  readonly roleId: string;
  /** A new secret id. */
  secretId(settings?: { readonly ttl?: string; readonly uses?: number }): string;
  /** A new secret id behind a wrapping token. */
  wrappedSecretId(ttl?: string): string;
  removeRole(): void;
}

export interface VaultDouble {
  readonly mode: VaultMode;
  /** Origin, without a slash at its end. */
  readonly address: string;
  readonly rootToken: string;
  /** `kind`: `kv-v2`, `kv-v1` or `transit`; `path` may hold slashes. */
  mount(kind: MountKind, path: string, namespace?: string): void;
  unmount(path: string, namespace?: string): void;
  /** HCL: `path "x" { capabilities = ["read"] }`. */
  policy(name: string, hcl: string, namespace?: string): void;
  /** A token of these policies and `default`. `ttl` in seconds. */
  token(wish?: Partial<TokenWish> & { readonly ttl?: number; readonly noDefaultPolicy?: boolean }): string;
  /** It and its children are dead with this. */
  revoke(token: string): void;
  /** Settings as `auth/<mount>/role/<name>` takes them. */
  approle(
    role: string,
    settings: Readonly<Record<string, unknown>>,
    mount?: string,
    namespace?: string,
  ): AppRoleHandle;
  transitKey(name: string, settings?: Readonly<Record<string, unknown>>, mount?: string): void;
  removeTransitKey(name: string, mount?: string): void;
  namespace(path: string): void;
  /** As somebody else does it at the same server: no record, no faults. Default token: root. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): { readonly status: number; readonly body: unknown };
  /** What `sys/health` says; `sealed` and `not-initialized` stop everything else. */
  become(state: NodeState): void;
  /** Reads of a key after a write show the state before it, for so many reads or so long; null: no more. */
  staleReads(staleness: Staleness | null, mount?: string): void;
  /** Each token that is issued from now on is unknown to its first `calls`. */
  newTokensUnknownFor(calls: number): void;
  /** The KV v2 mount says that it is being upgraded, or no longer. */
  upgrading(mount: string, isUpgrading: boolean): void;
  fault(match: FaultMatch, fault: Fault): FaultHandle;
  clearFaults(): void;
  readonly offences: readonly Offence[];
  readonly calls: CallRecord;
  stop(): Promise<void>;
}

const REAL_CLOCK: VaultClock = { now: () => new Date() };
const HOST = "127.0.0.1";

export async function startVault(options: VaultOptions = {}): Promise<VaultDouble> {
  const features = featuresOf(options.mode ?? "vault-1.21");
  const core = new Core(features, options.clock ?? REAL_CLOCK, options.maxEntryBytes ?? 1024 * 1024);
  const board = new FaultBoard();
  const record = new CallRecord();
  const needs = { core, board, record, tls: options.tls, indexHeaders: options.indexHeaders ?? false };
  const other = await listen({ ...needs, elsewhere: () => null }, HOST, 0);
  const server = await listen({ ...needs, elsewhere: () => other.address }, HOST, options.port ?? 0);
  const rootToken = core.tokens.issue({
    policies: ["root"],
    path: "auth/token/root",
    orphan: true,
    displayName: "root",
  }).token.id;
  return {
    mode: features.mode,
    address: server.address,
    rootToken,
    ...commands(core, rootToken),
    fault: (match, fault) => board.add(match, fault),
    clearFaults: () => board.clear(),
    get offences() {
      return record.offences;
    },
    calls: record,
    async stop() {
      board.clear();
      await Promise.all([server.close(), other.close()]);
    },
  };
}

type Commands = Omit<
  VaultDouble,
  "mode" | "address" | "rootToken" | "fault" | "clearFaults" | "offences" | "calls" | "stop"
>;

function commands(core: Core, rootToken: string): Commands {
  const realm = (namespace = ""): Realm => core.realm(namespace === "" ? "" : `${namespace}/`);
  const mountAt = (path: string): Mount => {
    const mount = core.root.mounts.get(`${path}/`);
    if (mount === undefined) throw new Error(`the double has no mount ${path}`);
    return mount;
  };
  const request: VaultDouble["request"] = (method, path, body, headers = {}) => {
    const answer = core.handle({
      method,
      url: `/v1/${path}`,
      headers: { "x-vault-token": rootToken, "content-type": "application/json", ...headers },
      body: Buffer.from(body === undefined ? "" : JSON.stringify(body)),
      remoteAddress: HOST,
    });
    return { status: answer.status, body: answer.body === "" ? null : (JSON.parse(answer.body) as unknown) };
  };
  const must: VaultDouble["request"] = (...call) => {
    const answer = request(...call);
    if (answer.status >= 300)
      throw new Error(`the double refused ${call[0]} ${call[1]}: ${JSON.stringify(answer.body)}`);
    return answer;
  };
  return {
    request,
    mount: (kind, path, namespace) => void realm(namespace).addMount(kind, path),
    unmount: (path, namespace) => void realm(namespace).mounts.delete(`${path}/`),
    policy: (name, hcl, namespace) => realm(namespace).setPolicy(name, hcl),
    token({ ttl, noDefaultPolicy = false, policies = [], ...wish } = {}) {
      const all =
        policies.includes("root") || noDefaultPolicy ? policies : [...new Set([...policies, "default"])];
      const namespace = wish.namespace === undefined || wish.namespace === "" ? "" : `${wish.namespace}/`;
      return core.tokens.issue({
        path: "auth/token/create",
        orphan: true,
        ...wish,
        namespace,
        policies: all,
        ttlSeconds: ttl ?? wish.ttlSeconds,
      }).token.id;
    },
    revoke: (token) => core.tokens.revoke(token),
    approle: (role, settings, mount = "approle", namespace = "") =>
      appRole({ core, must, realm: realm(namespace) }, role, settings, mount, namespace),
    transitKey: (name, settings = {}, mount = "transit") =>
      void must("POST", `${mount}/keys/${name}`, settings),
    removeTransitKey(name, mount = "transit") {
      const found = mountAt(mount);
      if (found.kind === "transit") found.store.keys.delete(name);
    },
    namespace: (path) => core.addNamespace(path),
    become(state) {
      core.state = state;
    },
    staleReads(staleness, mount) {
      for (const one of mount === undefined ? core.root.mounts.values() : [mountAt(mount)])
        if (one.kind === "kv-v2") one.store.stale.staleness = staleness;
    },
    newTokensUnknownFor(calls) {
      core.tokens.unknownFor = calls;
    },
    upgrading(mount, isUpgrading) {
      const found = mountAt(mount);
      if (found.kind === "kv-v2") found.store.upgrading = isUpgrading ? UPGRADING : null;
    },
  };
}

function appRole(
  { must, realm }: { readonly core: Core; readonly must: VaultDouble["request"]; readonly realm: Realm },
  role: string,
  settings: Readonly<Record<string, unknown>>,
  mount: string,
  namespace: string,
): AppRoleHandle {
  if (!realm.appRoles.has(`auth/${mount}/`)) realm.addAppRole(mount);
  const base = `auth/${mount}/role/${role}`;
  const inNamespace: Readonly<Record<string, string>> =
    namespace === "" ? {} : { "x-vault-namespace": namespace };
  const read = (method: string, path: string, body?: unknown, headers = {}) =>
    must(method, path, body, { ...inNamespace, ...headers }).body as {
      readonly data: Readonly<Record<string, string>>;
      readonly wrap_info: { readonly token: string };
    };
  must("POST", base, settings, inNamespace);
  return {
    mount,
    role,
    roleId: read("GET", `${base}/role-id`).data["role_id"] ?? "",
    secretId: ({ ttl, uses } = {}) =>
      read("POST", `${base}/secret-id`, { ...(ttl && { ttl }), ...(uses && { num_uses: uses }) }).data[
        "secret_id"
      ] ?? "",
    wrappedSecretId: (ttl = "60s") =>
      read("POST", `${base}/secret-id`, {}, { "x-vault-wrap-ttl": ttl }).wrap_info.token,
    removeRole: () => void must("DELETE", base, undefined, inNamespace),
  };
}
