/** `encrypt`, `decrypt` and `rewrap` of Transit. */
import type { EngineRequest, Route } from "../wire/backend.ts";
import { intField, textField } from "../wire/fields.ts";
import { Refused, type Reply, wrapped } from "../wire/reply.ts";
import { AuthenticationFailed, decodeBase64, TransitKey } from "./transit-key.ts";
import { NAME, type TransitStore } from "./transit-store.ts";

type Item = Readonly<Record<string, unknown>>;
type Crypt = (key: TransitKey, item: Item, context: Buffer) => Record<string, unknown>;

const NOTHING = Buffer.alloc(0);

export function cryptRoutes(store: TransitStore): readonly Route[] {
  const aad = (item: Item): Buffer =>
    store.features.associatedData ? decodeBase64(textField(item, "associated_data") ?? "") : NOTHING;
  const encrypt: Crypt = (key, item, context) => {
    const version = intField(item, "key_version") ?? 0;
    const ciphertext = key.encrypt(String(item["plaintext"]), version, context, aad(item));
    return { ciphertext, key_version: version === 0 ? key.latestVersion : version };
  };
  const decrypt: Crypt = (key, item, context) => ({
    plaintext: key.decrypt(textField(item, "ciphertext") ?? "", context, aad(item)),
  });
  // Rewrap knows no associated data, in no version.
  const rewrap: Crypt = (key, item, context) => {
    const version = intField(item, "key_version") ?? 0;
    const plaintext = key.decrypt(textField(item, "ciphertext") ?? "", context, NOTHING);
    const ciphertext = key.encrypt(plaintext, version, context, NOTHING);
    return { ciphertext, key_version: version === 0 ? key.latestVersion : version };
  };
  const fields = ["context", "nonce", "key_version", "batch_input", "partial_failure_response_code"];
  if (store.features.associatedData) fields.push("associated_data");
  const { partialBatchFails, mode } = store.features;
  const run = (input: "plaintext" | "ciphertext", crypt: Crypt, isRewrap = false) => {
    const expectsForeign = isRewrap ? mode === "vault-1.21" : partialBatchFails;
    const work: Work = { input, crypt, failsAsWhole: !isRewrap, expectsForeign };
    return (request: EngineRequest) => handle(store, request, work);
  };
  return [
    {
      pattern: new RegExp(`^encrypt/${NAME}$`),
      fields: [...fields, "plaintext", "type", "convergent_encryption"],
      exists: ({ name = "" }) => store.keys.has(name),
      create: run("plaintext", encrypt),
      update: run("plaintext", encrypt),
    },
    {
      pattern: new RegExp(`^decrypt/${NAME}$`),
      fields: [...fields, "ciphertext"],
      update: run("ciphertext", decrypt),
    },
    {
      pattern: new RegExp(`^rewrap/${NAME}$`),
      fields: [...fields.filter((field) => field !== "associated_data"), "ciphertext"],
      update: run("ciphertext", rewrap, true),
    },
  ];
}

interface Work {
  readonly input: "plaintext" | "ciphertext";
  readonly crypt: Crypt;
  /** Whether an item that failed makes the answer a 400, from 1.10 on. */
  readonly failsAsWhole: boolean;
  /** Whether a text that does not open is a refusal of its item; otherwise the whole call breaks with 500. */
  readonly expectsForeign: boolean;
}

function handle(store: TransitStore, request: EngineRequest, work: Work): Reply {
  const { data } = request;
  const missing = `missing ${work.input} to ${work.input === "plaintext" ? "encrypt" : "decrypt"}`;
  const items = itemsOf(data, work.input, missing);
  const first = items[0];
  if (first === undefined) throw new Refused(400, "missing batch input to process");
  const hasContext = contextText(first) !== "";
  if (items.some((item) => (contextText(item) !== "") !== hasContext))
    throw new Refused(400, "context should be set either in all the request blocks or in none");
  const key = keyFor(store, request, hasContext);
  const results = items.map((item) => attempt(key, item, work, missing));
  if (data["batch_input"] === undefined) {
    const error = results[0]?.["error"];
    if (typeof error === "string") throw new Refused(400, error);
    return { data: results[0] };
  }
  const references = results.map((result, index) =>
    store.features.warnsOfUnknown ? { ...result, reference: items[index]?.["reference"] ?? "" } : result,
  );
  const failed = results.some((result) => "error" in result);
  const status = failed && work.failsAsWhole && store.features.partialBatchFails ? 400 : undefined;
  return { data: { batch_results: references }, status };
}

function itemsOf(data: Item, input: string, missing: string): readonly Item[] {
  const batch = data["batch_input"];
  if (batch === undefined || batch === null) {
    // An empty plaintext is one; an empty ciphertext is none.
    const value = data[input];
    if (typeof value !== "string" || (input === "ciphertext" && value === ""))
      throw new Refused(400, missing);
    return [data];
  }
  if (!Array.isArray(batch))
    throw new Refused(500, wrapped("failed to parse batch input: source data must be an array or slice"));
  batch.forEach((item: unknown, index) => {
    if (item === null || typeof item !== "object")
      throw new Refused(500, wrapped(`failed to parse batch input: [${index}] expected a map`));
    if (typeof (item as Item)[input] !== "string")
      throw new Refused(500, wrapped(`failed to parse batch input: '[${index}].${input}' ${missing}`));
  });
  return batch as readonly Item[];
}

function contextText(item: Item): string {
  return textField(item, "context") ?? "";
}

function keyFor(store: TransitStore, request: EngineRequest, hasContext: boolean): TransitKey {
  const name = request.at["name"] ?? "";
  const found = store.keys.get(name);
  if (found !== undefined) return found;
  if (request.operation !== "create") throw new Refused(400, "encryption key not found");
  const settings = {
    type: "aes256-gcm96",
    derived: hasContext,
    exportable: false,
    allowPlaintextBackup: false,
  };
  const key = new TransitKey(name, settings, store.clock.now());
  store.keys.set(name, key);
  return key;
}

function attempt(key: TransitKey, item: Item, work: Work, missing: string): Record<string, unknown> {
  try {
    if (work.input === "ciphertext" && item["ciphertext"] === "") throw new Refused(400, missing);
    return work.crypt(key, item, decodeBase64(contextText(item)));
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 400) throw error;
    if (error instanceof AuthenticationFailed && !work.expectsForeign)
      throw new Refused(500, wrapped(error.message));
    return { error: error.texts[0] ?? "" };
  }
}
