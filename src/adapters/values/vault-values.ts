/**
 * Values in a KV engine of Vault or OpenBao: one path for each try to put a version, written once.
 *
 *   <mount>/data/<prefix>/<store id>/<secret id>/<version>-<16 hex digits>
 *
 * The digits are new for each try, so that a number that is used again (a try that failed, a store that was set back)
 * never meets an older try's value. The engine's own versions are not used: they are pruned, and start again.
 */
import { randomBytes } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import type { NamedValueStore, StoredValue, ValueName, ValueTrouble } from "../../core/ports/value-store.ts";
import type { VersionName } from "../../core/secret.ts";
import { VaultFailure } from "../vault/failure.ts";
import type { Kv, KvMetadata, KvPath, KvRead } from "../vault/kv.ts";
import { isSameTime } from "../vault/times.ts";
import { changedThere, storeRights, toValueStoreError } from "./vault-errors.ts";

/** The only version that is ever written at a path. */
const OURS = 1;
const ANSWER_WITHIN_MS = 20_000;
const MAX_WRITES = 3;
/** Of a write, at every node. */
const VISIBLE_WITHIN_MS = 2 * 60_000;

const NAME = /^([1-9][0-9]{0,9})-[0-9a-f]{16}$/;
const SECRET_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface VaultPlace {
  readonly mount: string;
  /** Below the mount; may hold slashes. */
  readonly prefix: string;
  readonly storeId: string;
}

/** `serverNow`: Vault's own clock. */
export function createVaultValues(
  kv: Kv,
  place: VaultPlace,
  serverNow: () => Promise<Date>,
): NamedValueStore {
  return new VaultValues(kv, place, serverNow);
}

class VaultValues implements NamedValueStore {
  readonly name = "vault";
  readonly #kv: Kv;
  readonly #place: VaultPlace;
  readonly #serverNow: () => Promise<Date>;

  constructor(kv: Kv, place: VaultPlace, serverNow: () => Promise<Date>) {
    this.#kv = kv;
    this.#place = place;
    this.#serverNow = serverNow;
  }

  nameFor(version: number): string {
    return `${version}-${randomBytes(8).toString("hex")}`;
  }

  async put({ secretId, version }: VersionName, name: string | null, plain: string): Promise<StoredValue> {
    const at = this.#at({ secretId, version, name: name ?? "" });
    const data = fieldsIn(plain);
    const written = await this.#asked("put the value", () => this.#write(at, data, plain));
    if (written.deletionTime !== "") {
      throw new LockstepError(
        "VALUE_STORE_REFUSED",
        `Cannot put the value in Vault: what is written below ${this.#place.mount} is deleted by itself after a time.`,
        { hint: "Set delete_version_after of that mount to 0s, or name another in LOCKSTEP_VAULT_KV_MOUNT." },
      );
    }
    return { kind: "named", name: name ?? "", createdTime: written.createdTime };
  }

  async read({ secretId, version }: VersionName, stored: StoredValue): Promise<string> {
    if (stored.kind !== "named")
      throw new LockstepError("INTERNAL", "A value that is sealed in its row was looked for in Vault.");
    const value = { secretId, version, name: stored.name };
    const found = await this.#asked("read a value", () => this.#kv.read(this.#at(value), within(), OURS));
    if (found.state === "absent") await this.#assertVisible(stored.createdTime);
    if (found.state !== "present") throw changedThere(found.state, this.addressOf(value));
    const plain = plainIn(found);
    if (plain === null) throw changedThere("changed", this.addressOf(value));
    return plain;
  }

  addressOf(value: ValueName): string {
    return `${this.#place.mount}/${this.#at(value).path}`;
  }

  async look(value: ValueName, createdTime: string): Promise<ValueTrouble | null> {
    const found = await this.#metadata(value);
    const ours = found?.versions.get(OURS);
    if (found === null) await this.#assertVisible(createdTime);
    if (found === null || ours === undefined) return found === null ? "absent" : "destroyed";
    if (ours.destroyed) return "destroyed";
    // One in the future as well: somebody let it end.
    if (ours.deletionTime !== "") return "deleted";
    const isAsPut = found.currentVersion === OURS && isSameTime(ours.createdTime, createdTime);
    return isAsPut ? null : "changed";
  }

  async remove(value: ValueName): Promise<void> {
    const at = this.#at(value);
    const found = await this.#metadata(value);
    if (found === null) return;
    await this.#asked("destroy a value", () => this.#kv.destroy(at, [...found.versions.keys()], within()));
    const after = await this.#metadata(value);
    if (after !== null && [...after.versions.values()].some(({ destroyed }) => !destroyed))
      throw unsure("a value that was destroyed is still there");
    await this.#asked("delete what is known of a value", () => this.#kv.deleteMetadata(at, within()));
    if ((await this.#metadata(value)) !== null) throw unsure("what was deleted is still there");
  }

  async secrets(): Promise<readonly string[]> {
    const { mount, prefix, storeId } = this.#place;
    const found = await this.#list({ mount, path: `${prefix}/${storeId}` });
    return found
      .flatMap((name) => {
        const id = name.endsWith("/") ? name.slice(0, -1) : "";
        return SECRET_ID.test(id) ? [id] : [];
      })
      .sort();
  }

  async values(secretId: string): Promise<readonly ValueName[]> {
    const { mount, prefix, storeId } = this.#place;
    const found = await this.#list({ mount, path: `${prefix}/${storeId}/${secretId}` });
    return found.flatMap((name) => {
      const version = NAME.exec(name)?.[1];
      return version === undefined ? [] : [{ secretId, version: Number(version), name }];
    });
  }

  async ageMs(value: ValueName): Promise<number | null> {
    const found = await this.#metadata(value);
    if (found === null) return null;
    const times = [...found.versions.values()].map(({ createdTime }) => Date.parse(createdTime));
    if (times.length === 0 || times.some(Number.isNaN))
      throw unsure("it does not say when a value was written");
    const now = await this.#asked("ask for the time", this.#serverNow);
    return now.getTime() - Math.max(...times);
  }

  /** Again while nothing of it arrived: `cas` 0 lets one write win, whichever lands. */
  async #write(at: KvPath, data: Readonly<Record<string, string>>, plain: string) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#kv.write(at, data, 0, within());
      } catch (error) {
        if (!(error instanceof VaultFailure) || !UNSURE.has(error.verdict)) throw error;
        const found = await this.#kv.read(at, within(), OURS);
        if (found.state === "present" && plainIn(found) === plain) {
          const known = (await this.#kv.metadata(at, within()))?.versions.get(OURS);
          return { createdTime: found.createdTime, deletionTime: known?.deletionTime ?? "" };
        }
        if (found.state !== "absent") {
          throw changedThere(found.state === "present" ? "changed" : found.state, `${at.mount}/${at.path}`);
        }
        if (tries === MAX_WRITES || error.verdict === "permission") throw error;
      }
    }
  }

  /** A standby may show for a while what was before a write: that is no word about what was written. */
  async #assertVisible(createdTime: string): Promise<void> {
    const now = await this.#asked("ask for the time", this.#serverNow);
    if (now.getTime() - Date.parse(createdTime) < VISIBLE_WITHIN_MS)
      throw unsure("what was just written is not to be seen yet");
  }

  #metadata(value: ValueName): Promise<KvMetadata | null> {
    return this.#asked("look at a value", () => this.#kv.metadata(this.#at(value), within()));
  }

  #list(at: KvPath): Promise<readonly string[]> {
    return this.#asked("list values", () => this.#kv.list(at, within()));
  }

  /** Names that reach the database come back from it: whoever writes there must lead nobody to another path. */
  #at({ secretId, version, name }: ValueName): KvPath {
    if (!SECRET_ID.test(secretId) || NAME.exec(name)?.[1] !== String(version))
      throw new LockstepError("INTERNAL", "A value's name is not one that Lockstep gives.");
    const { mount, prefix, storeId } = this.#place;
    return { mount, path: `${prefix}/${storeId}/${secretId}/${name}` };
  }

  async #asked<T>(action: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof VaultFailure) throw toValueStoreError(error, action, storeRights(this.#place));
      throw error;
    }
  }
}

/** With the right to create alone, what stands there already answers as a missing right. */
const UNSURE: ReadonlySet<VaultFailure["verdict"]> = new Set(["conflict", "outcome-unknown", "permission"]);

const within = (): AbortSignal => AbortSignal.timeout(ANSWER_WITHIN_MS);

function unsure(state: string): LockstepError {
  return new LockstepError("VALUE_STORE_UNAVAILABLE", `Vault cannot be relied on at the moment: ${state}.`);
}

function fieldsIn(plain: string): Readonly<Record<string, string>> {
  if (Buffer.from(plain).toString() !== plain)
    throw new LockstepError("VALUE_INVALID", "Cannot put the value: it is not valid Unicode.");
  return JSON.parse(plain) as Record<string, string>;
}

/** As it was put; null: not everything there is a text. */
function plainIn({ data }: Extract<KvRead, { readonly state: "present" }>): string | null {
  const names = Object.keys(data).sort();
  if (names.some((name) => typeof data[name] !== "string")) return null;
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, data[name]])));
}
