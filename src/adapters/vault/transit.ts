/** Transit over a logged-in line, in batches within the server's limits. */
import { z } from "zod";
import { batchItemFailure } from "./errors.ts";
import { VaultFailure } from "./failure.ts";
import { segmentsOf } from "./paths.ts";
import type { Vault } from "./vault.ts";

export interface TransitKeyName {
  readonly mount: string;
  readonly key: string;
}

export interface TransitKey {
  readonly type: string;
  readonly derived: boolean;
  readonly latestVersion: number;
  readonly minDecryptionVersion: number;
  readonly minEncryptionVersion: number;
  readonly deletionAllowed: boolean;
  readonly exportable: boolean;
  readonly allowPlaintextBackup: boolean;
}

export type BatchResult<T> = { readonly ok: T } | { readonly failure: VaultFailure };

export interface Transit {
  /** `vault:v<n>:…`, one for each plaintext, in order. Never makes a key. Throws VaultFailure when the whole call failed. */
  encrypt(plaintexts: readonly Uint8Array[], signal: AbortSignal): Promise<readonly BatchResult<string>[]>;
  decrypt(ciphertexts: readonly string[], signal: AbortSignal): Promise<readonly BatchResult<Uint8Array>[]>;
  /** Throws `permission` without the right to read it, `key` when there is none. */
  readKey(signal: AbortSignal): Promise<TransitKey>;
}

export type CreateTransit = (vault: Vault, name: TransitKeyName) => Transit;

/** OpenBao takes 1000 texts in a request, keys included. */
const MAX_BATCH_ITEMS = 200;
const CIPHERTEXT = /^vault:v[1-9]\d{0,8}:[A-Za-z0-9+/=]+$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const batch = z.object({
  data: z.object({
    batch_results: z.array(
      z.object({
        ciphertext: z.string().nullish(),
        plaintext: z.string().nullish(),
        error: z.string().nullish(),
      }),
    ),
  }),
});
const keyForm = z.object({
  data: z.object({
    type: z.string(),
    derived: z.boolean(),
    latest_version: z.number().int().positive(),
    min_decryption_version: z.number().int().nonnegative(),
    min_encryption_version: z.number().int().nonnegative(),
    deletion_allowed: z.boolean(),
    exportable: z.boolean(),
    allow_plaintext_backup: z.boolean().nullish(),
  }),
});
const capabilities = z.object({ data: z.record(z.string(), z.unknown()) });

type BatchItem = z.infer<typeof batch>["data"]["batch_results"][number];

export const createTransit: CreateTransit = (vault, { mount, key }) => {
  const path = (operation: string): readonly string[] => [...segmentsOf(mount), operation, key];
  let mayEncrypt: Promise<void> | null = null;

  /** To encrypt with a key that is not there makes it, where the token may: it must be there before. */
  async function assertMakesNoKey(signal: AbortSignal): Promise<void> {
    try {
      await transit.readKey(signal);
      return;
    } catch (error) {
      if (!(error instanceof VaultFailure) || error.verdict !== "permission") throw error;
    }
    if (await mayCreate(signal))
      throw new VaultFailure(
        "permission",
        `the token may make Transit keys, and may not read whether "${key}" is there: give it only "update" on ${mount}/encrypt/${key}, and "read" on ${mount}/keys/${key}`,
        { status: 403, at: { method: "GET", path: path("keys"), namespace: vault.server.namespace } },
      );
  }

  /** True also where the server does not say. */
  async function mayCreate(signal: AbortSignal): Promise<boolean> {
    const at = path("encrypt").join("/");
    try {
      const answer = await vault.call(
        { method: "POST", path: ["sys", "capabilities-self"], body: { paths: [at] }, writes: false },
        signal,
      );
      const told = capabilities.safeParse(answer.body).data?.data[at];
      return !Array.isArray(told) || told.includes("create") || told.includes("root");
    } catch (error) {
      if (error instanceof VaultFailure && error.verdict === "permission") return true;
      throw error;
    }
  }

  async function inBatches<In, Out>(
    operation: "encrypt" | "decrypt",
    items: readonly In[],
    { write, read }: { write(item: In): object; read(item: BatchItem): Out | null },
    signal: AbortSignal,
  ): Promise<readonly BatchResult<Out>[]> {
    const results: BatchResult<Out>[] = [];
    for (let from = 0; from < items.length; from += MAX_BATCH_ITEMS) {
      const part = items.slice(from, from + MAX_BATCH_ITEMS);
      const answer = await itemByItem(operation, part.map(write), signal);
      if (answer.length !== part.length)
        throw new VaultFailure("protocol", "Transit answered another number of items than it was asked for");
      results.push(...answer.map((item) => ("failure" in item ? item : resultOf(item, read))));
    }
    return results;
  }

  /** Before 1.10 one text that does not open breaks its whole batch: it is found by halving. */
  async function itemByItem(
    operation: "encrypt" | "decrypt",
    items: readonly object[],
    signal: AbortSignal,
  ): Promise<readonly (BatchItem | { readonly failure: VaultFailure })[]> {
    try {
      return await transitCall(operation, items, signal);
    } catch (error) {
      if (!(error instanceof VaultFailure) || error.trouble !== "unopened") throw error;
      if (items.length === 1) return [{ failure: error }];
      const half = Math.ceil(items.length / 2);
      const first = await itemByItem(operation, items.slice(0, half), signal);
      return [...first, ...(await itemByItem(operation, items.slice(half), signal))];
    }
  }

  async function transitCall(
    operation: "encrypt" | "decrypt",
    items: readonly object[],
    signal: AbortSignal,
  ): Promise<readonly BatchItem[]> {
    try {
      const { status, body } = await vault.call(
        {
          method: "POST",
          path: path(operation),
          body: { batch_input: items },
          writes: false,
          batchIsAnswer: true,
        },
        signal,
      );
      const results = batch.safeParse(body).data?.data.batch_results;
      if (results === undefined)
        throw new VaultFailure("protocol", "Transit answered with something else", { status });
      return results;
    } catch (error) {
      // Its refusals are told apart by text alone: one that is not known tells nothing.
      if (error instanceof VaultFailure && error.verdict === "protocol" && error.status === 400)
        throw batchItemFailure("");
      throw error;
    }
  }

  const transit: Transit = {
    async encrypt(plaintexts, signal) {
      if (plaintexts.length === 0) return [];
      mayEncrypt ??= assertMakesNoKey(signal);
      const checked = mayEncrypt;
      try {
        await checked;
      } catch (error) {
        if (mayEncrypt === checked) mayEncrypt = null;
        throw error;
      }
      return await inBatches(
        "encrypt",
        plaintexts,
        {
          write: (plaintext) => ({ plaintext: Buffer.from(plaintext).toString("base64") }),
          read: ({ ciphertext }) => (ciphertext && CIPHERTEXT.test(ciphertext) ? ciphertext : null),
        },
        signal,
      );
    },

    async decrypt(ciphertexts, signal) {
      return await inBatches(
        "decrypt",
        ciphertexts,
        {
          write: (ciphertext) => ({ ciphertext }),
          read: ({ plaintext }) =>
            typeof plaintext === "string" && BASE64.test(plaintext) ? Buffer.from(plaintext, "base64") : null,
        },
        signal,
      );
    },

    async readKey(signal) {
      const answer = await vault.call(
        { method: "GET", path: path("keys"), writes: false, absentIsAnswer: true },
        signal,
      );
      if (answer.status === 404)
        throw new VaultFailure("key", "there is no such Transit key", { status: 404, trouble: "missing" });
      const read = keyForm.safeParse(answer.body);
      if (!read.success)
        throw new VaultFailure("mount", "the mount is no Transit engine, or the key is of another kind", {
          status: answer.status,
        });
      const { data } = read.data;
      return {
        type: data.type,
        derived: data.derived,
        latestVersion: data.latest_version,
        minDecryptionVersion: data.min_decryption_version,
        minEncryptionVersion: data.min_encryption_version,
        deletionAllowed: data.deletion_allowed,
        exportable: data.exportable,
        allowPlaintextBackup: data.allow_plaintext_backup ?? false,
      };
    },
  };
  return transit;
};

function resultOf<Out>(item: BatchItem, read: (item: BatchItem) => Out | null): BatchResult<Out> {
  if (item.error) return { failure: batchItemFailure(item.error) };
  const ok = read(item);
  if (ok !== null) return { ok };
  return { failure: new VaultFailure("protocol", "Transit answered an item with something else") };
}
