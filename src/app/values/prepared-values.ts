/**
 * A transaction that needs values, which are put and opened before it holds any lock: a value store may be a server
 * somewhere, and a transaction may run twice.
 *
 *   the transaction runs, locks, judges ▸ it lacks a value: it is given up, nothing was written ▸ the value is put or
 *   opened ▸ the transaction runs again, and judges anew
 *
 * So a request that is refused puts nothing anywhere. A value is put for one secret and one number: where another version
 * took that number meanwhile, it is put anew for the next, and the unused one is removed.
 */
import { LockstepError } from "../../core/errors.ts";
import type { StoredValue } from "../../core/ports/value-store.ts";
import type { VersionName } from "../../core/secret.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { transact } from "../base/transaction.ts";
import { giveUpValue, putSomewhere, putValue } from "./put-value.ts";
import { type Fields, fingerprintOf, openFields, serializeFields } from "./secret-fields.ts";

/** Somebody else's version takes the number each time: more than that is no accident. */
const MAX_TRIES = 10;

export interface VersionValue {
  readonly secretId: string;
  /** That the locked secret's next version has. */
  readonly version: number;
  readonly fields: Fields;
}

export interface PreparedValue extends VersionName {
  readonly stored: StoredValue;
  readonly fingerprint: string;
}

export interface PreparedValues {
  /** Ends the run unless each is there; for several at once, which are put together then. */
  need(values: readonly VersionValue[]): void;
  /** For the version that is added with it in this very run. */
  take(value: VersionValue): PreparedValue;
  /** In order, as `openFields` opens them. */
  open(versions: readonly VersionName[]): readonly Fields[];
}

export interface PrepareOptions {
  /**
   * A value that will most likely be needed, for the number that is next now: where nothing stands anywhere until its row
   * does, it is put at once, which saves the run that would only find out.
   */
  readonly likely?: { readonly secretId: string; readonly fields: Fields };
  /** What cannot be asked for twice: kept in Postgres, sealed, while the wanted store does not take it. */
  readonly isIrreplaceable?: boolean;
}

/** Of a transaction that may add versions. */
export type PreparedRepositories = Repositories & { readonly values: PreparedValues };

/** As `transact`. Throws what `work` and the value store throw. `work` runs several times, and `next` with each anew. */
export async function transactionWithValues<T>(
  context: AppContext,
  work: (tx: PreparedRepositories, next: Next) => Promise<T>,
  options: PrepareOptions = {},
): Promise<T> {
  const values = new Preparation(context, options);
  await values.prepareLikely();
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        const done = await transact(context, (tx, next) => work({ ...tx, values: values.begin() }, next));
        values.committed();
        return done;
      } catch (error) {
        if (!values.isLacking && !(await values.canSealAnew(error))) throw error;
        if (tries === MAX_TRIES) throw overtaken();
        await values.prepare();
      }
    }
  } finally {
    await values.giveUpUnused();
  }
}

/** It crosses the store, which may translate it: what is lacking stands in the preparation. */
class NotPrepared extends Error {}

interface Lacking {
  readonly values: readonly VersionValue[];
  readonly unopened: readonly VersionName[];
}

class Preparation implements PreparedValues {
  readonly #context: AppContext;
  readonly #options: PrepareOptions;
  readonly #prepared = new Map<string, PreparedValue>();
  readonly #opened = new Map<string, Fields>();
  readonly #taken = new Set<string>();
  #lacking: Lacking | null = null;

  constructor(context: AppContext, options: PrepareOptions) {
    this.#context = context;
    this.#options = options;
  }

  begin(): PreparedValues {
    this.#lacking = null;
    this.#taken.clear();
    return this;
  }

  need(values: readonly VersionValue[]): void {
    const lacking = values.filter((value) => !this.#prepared.has(this.#keyOf(value)));
    if (lacking.length > 0) this.#lack({ values: lacking, unopened: [] });
  }

  take(value: VersionValue): PreparedValue {
    this.need([value]);
    const prepared = this.#prepared.get(this.#keyOf(value));
    if (prepared === undefined) throw new NotPrepared();
    this.#taken.add(this.#keyOf(value));
    return prepared;
  }

  open(versions: readonly VersionName[]): readonly Fields[] {
    const opened = versions.flatMap((version) => this.#opened.get(nameOf(version)) ?? []);
    if (opened.length === versions.length) return opened;
    const unopened = versions.filter((version) => !this.#opened.has(nameOf(version)));
    return this.#lack({ values: [], unopened });
  }

  committed(): void {
    for (const key of this.#taken) this.#prepared.delete(key);
  }

  /** False: something else was wrong with the run. */
  get isLacking(): boolean {
    return this.#lacking !== null;
  }

  async prepareLikely(): Promise<void> {
    const { likely } = this.#options;
    if (likely === undefined || this.#context.values.wanted.nameFor(1) !== null) return;
    const { highest } = await this.#context.store.read.valuePlaces.namesOf(likely.secretId);
    const value = { ...likely, version: highest + 1 };
    this.#prepared.set(this.#keyOf(value), await this.#put(value));
  }

  /** Outside the transaction. */
  async prepare(): Promise<void> {
    const lacking = this.#lacking;
    this.#lacking = null;
    if (lacking === null) return;
    for (const value of lacking.values) this.#prepared.set(this.#keyOf(value), await this.#put(value));
    await Promise.all(
      lacking.unopened.map(async ({ secretId, version }) => {
        const fields = await openFields(this.#context, this.#context.store.read, secretId, version);
        this.#opened.set(nameOf({ secretId, version }), fields);
      }),
    );
  }

  /** The root key changed between sealing and the transaction, which took nothing under the old one. */
  async canSealAnew(error: unknown): Promise<boolean> {
    if (!(error instanceof LockstepError) || error.code !== "ROOT_KEY_CHANGED") return false;
    const sealed = [...this.#prepared].filter(([, { stored }]) => stored.kind === "sealed");
    if (sealed.length === 0) return false;
    await this.#context.sealer.assertCurrent();
    for (const [key] of sealed) this.#prepared.delete(key);
    return true;
  }

  /**
   * What no version's row names. Whether one does is the store's word: a commit whose answer was lost may have been done.
   */
  async giveUpUnused(): Promise<void> {
    for (const prepared of this.#prepared.values())
      await giveUpValue(this.#context, prepared, prepared.stored);
  }

  async #put({ secretId, version, fields }: VersionValue): Promise<PreparedValue> {
    const of = { secretId, version };
    const plain = serializeFields(fields);
    const stored =
      this.#options.isIrreplaceable === true
        ? await putSomewhere(this.#context, of, plain)
        : await putValue(this.#context, this.#context.values.wanted, of, plain);
    return { ...of, stored, fingerprint: fingerprintOf(this.#context, secretId, fields) };
  }

  #keyOf({ secretId, version, fields }: VersionValue): string {
    return `${secretId} ${version} ${fingerprintOf(this.#context, secretId, fields)}`;
  }

  #lack(lacking: Lacking): never {
    this.#lacking = lacking;
    throw new NotPrepared();
  }
}

function overtaken(): LockstepError {
  return new LockstepError(
    "STORE_BUSY",
    "Cannot add a version: others added one each time that this one was ready, and nothing was written.",
    { hint: "Try again." },
  );
}

function nameOf({ secretId, version }: VersionName): string {
  return `${secretId} ${version}`;
}
