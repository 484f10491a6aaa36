/** One path on a stand-in for Vault, with targets opened on it: what the suites about Vault share. */
import { VaultLines } from "../../../src/adapters/targets/vault/log-in/lines.ts";
import { neededRights } from "../../../src/adapters/targets/vault/probe/policy.ts";
import { SeenPlaces } from "../../../src/adapters/targets/vault/secret/seen-places.ts";
import { createVaultKind } from "../../../src/adapters/targets/vault/target.ts";
import { closeVaultLines } from "../../../src/adapters/vault/create-vault.ts";
import { policyText } from "../../../src/adapters/vault/rights.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Order } from "../../../src/core/order.ts";
import type { Address, Observed } from "../../../src/core/ports/place.ts";
import type { Change, Target } from "../../../src/core/ports/target.ts";
import type { TargetContext } from "../../../src/core/ports/target-context.ts";
import type { DirectKind } from "../../../src/core/ports/target-kind.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { startVault, type VaultDouble, type VaultOptions } from "../../../src/simulator/vault/vault.ts";

export const never = new AbortController().signal;
export const STORE = "11111111-2222-4333-8444-555555555555";
export const CANARY = "canary-2b7e-value";
export const MOUNT = "kv";
export const PATH = "apps/api";

export const order = (generation: number, digest = "a".repeat(64)): Order => ({
  storeId: STORE,
  epoch: 1,
  generation,
  digest,
});

export const address = (key: string): Address => ({ placement: "", key });

export function change(set: Readonly<Record<string, string>>, unset: readonly string[] = []): Change {
  return {
    set: Object.entries(set).map(([key, value]) => ({ ...address(key), value: SecretValue.of(value) })),
    unset: unset.map(address),
  };
}

export interface Opening {
  /** In place of the kit's token. */
  readonly token?: string;
  readonly vault?: Readonly<Record<string, unknown>>;
  readonly context?: Partial<TargetContext>;
  readonly marker?: boolean;
  /** As another process: nothing of what the first has seen. */
  readonly elsewhere?: true;
}

export class VaultKit {
  vault!: VaultDouble;
  token!: string;
  #lines = new VaultLines();
  #seen = new SeenPlaces();
  readonly #opened: Target[] = [];

  async start(options: VaultOptions = {}): Promise<void> {
    this.vault = await startVault(options);
    this.vault.mount("kv-v2", MOUNT);
    this.vault.policy(
      "target",
      policyText(neededRights({ mount: MOUNT, path: PATH, discover: [], label: true })),
    );
    this.token = this.vault.token({ policies: ["target"], periodSeconds: 3_600 });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((target) => target.close()));
    await closeVaultLines();
    await this.vault.stop();
    this.#lines = new VaultLines();
    this.#seen = new SeenPlaces();
  }

  raw({ token = this.token, vault = {} }: Opening = {}): {
    readonly vault: Readonly<Record<string, unknown>>;
  } {
    const login = "appRole" in vault ? {} : { token };
    const settings = {
      address: this.vault.address,
      mount: MOUNT,
      path: PATH,
      label: false,
      requestTimeoutMs: 5_000,
    };
    return { vault: { ...settings, ...login, ...vault } };
  }

  kind(marker = true, elsewhere = false): DirectKind {
    return createVaultKind({
      revisionMarker: marker,
      lines: elsewhere ? new VaultLines() : this.#lines,
      seen: elsewhere ? new SeenPlaces() : this.#seen,
    });
  }

  open(opening: Opening = {}): Target {
    const kind = this.kind(opening.marker ?? true, opening.elsewhere === true);
    const { config, credentials } = kind.parse(this.raw(opening));
    const target = kind.open(config, credentials, {
      targetName: "team-vault",
      budget: { take: async () => {}, report: async () => {} },
      storeId: STORE,
      revisionMarker: opening.marker ?? true,
      ...opening.context,
    });
    this.#opened.push(target);
    return target;
  }

  /** As somebody else writes it, over the newest version. */
  put(data: Readonly<Record<string, unknown>>, path = PATH): void {
    const { status, body } = this.vault.request("POST", `${MOUNT}/data/${path}`, { data });
    if (status >= 300) throw new Error(`the double refused it: ${JSON.stringify(body)}`);
  }

  /** The newest map, and its version; null: nothing that can be read. */
  stored(path = PATH): { readonly data: Readonly<Record<string, unknown>>; readonly version: number } | null {
    const { status, body } = this.vault.request("GET", `${MOUNT}/data/${path}`);
    if (status !== 200) return null;
    const { data, metadata } = (
      body as { data: { data: Record<string, unknown>; metadata: { version: number } } }
    ).data;
    return { data, version: metadata.version };
  }

  /** Requests that change something. */
  writes(): number {
    return this.vault.calls
      .list()
      .filter(
        ({ method, path, executed }) =>
          executed && method !== "GET" && method !== "LIST" && path.startsWith(`${MOUNT}/`),
      ).length;
  }
}

export async function seen(target: Target, ...keys: string[]): Promise<readonly Observed[]> {
  return (await target.observe(keys.map(address), never)).keys.map(({ observed }) => observed);
}

export async function failure(work: Promise<unknown>): Promise<LockstepError> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (thrown instanceof LockstepError) return thrown;
  throw new Error(`it did not end with an error of ours: ${String(thrown)}`);
}
