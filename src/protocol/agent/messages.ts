/**
 * The messages' shapes. Parsed strictly at each receiving end, after signature and seal. Instants are ISO texts;
 * versions, generations and epochs are whole numbers.
 *
 * What an agent says is bounded here in itself, and at the server by what its target is (`app/agents/reports/bound-report.ts`).
 */
import { z } from "zod";
import { bundleAsk, MAX_ASKED, newerValue, reportedAnswer, wholeInStore } from "./asks.ts";
import { toldCopies } from "./copies.ts";
import { MAX_ENTRIES, MAX_SIGNED } from "./epoch.ts";

const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const publicKey = (crv: "Ed25519" | "X25519") =>
  z.strictObject({ kty: z.literal("OKP"), crv: z.literal(crv), x: digest });
const nonce = z.string().regex(/^[A-Za-z0-9_-]{22}$/);
const whole = z.int().min(0);
/** Over what is held under an order; see core/order.ts. */
const orderDigest = z.string().regex(/^[0-9a-f]{64}$/);
const text = (max: number) => z.string().max(max);

/** Of a report. Who has more keys at one machine than that divides them over several targets. */
export const MAX_ITEMS = 2_000;
/** One unit restarts; another may be left of the configuration before. */
export const MAX_UNITS = 4;
export const MAX_REFUSED = 64;
export const MAX_INCIDENTS = 20;

/** What an agent says of itself. Shown to people, believed by nobody. */
export const agentFacts = z.strictObject({
  version: text(40),
  hostname: text(253),
  platform: text(40),
  /** Of one run of the program: tells two running under one identity apart. */
  instance: nonce,
});
export type AgentFacts = z.output<typeof agentFacts>;

/* ---- enrolment ---- */

/** Travels as text, with its MAC and its signature beside it, so that both are over the same bytes. */
export const enrolmentContent = z.strictObject({
  v: z.literal(1),
  lookup: digest,
  nonce,
  signKey: publicKey("Ed25519"),
  encryptKey: publicKey("X25519"),
  facts: agentFacts,
});
export type EnrolmentContent = z.output<typeof enrolmentContent>;

export const enrolmentRequest = z.strictObject({
  /** JSON of `enrolmentContent`. */
  content: text(4_096),
  /** `enrolmentMac(macKey, content)`. */
  mac: digest,
  /** Ed25519 over the content's bytes, base64url: the agent has the signing key. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type EnrolmentRequest = z.output<typeof enrolmentRequest>;

/** Sealed to the agent's key and signed by the bundle key, whose digest the code carried. */
export const welcome = z.strictObject({
  v: z.literal(1),
  kind: z.literal("welcome"),
  agentId: z.uuid(),
  storeId: z.uuid(),
  epoch: whole,
  target: text(64),
  environment: text(64),
  /** The request's own. */
  nonce,
  /** To be sent back by `confirm`: only who has the encryption key can. */
  challenge: nonce,
  bundleKey: publicKey("Ed25519"),
  /** A short-lived identity ends that long after it was last used; null: it stays until revoked. */
  idleLifeSeconds: whole.nullable(),
});
export type Welcome = z.output<typeof welcome>;

/** Answer to enrol and bundle: `sealMessage`'s text. Before trust exists, the bundle key comes along to be checked. */
export const sealedAnswer = z.strictObject({
  sealed: text(8 * 1024 * 1024),
  bundleKey: publicKey("Ed25519").exactOptional(),
});

export const confirmRequest = z.strictObject({ v: z.literal(1), challenge: nonce });

/* ---- bundle ---- */

export const bundleRequest = z.strictObject({
  v: z.literal(1),
  nonce,
  /** What the agent holds and has reported; null: nothing. */
  have: z.strictObject({ epoch: whole, generation: whole, digest: text(64) }).nullable(),
  /** The highest order of a bundle that it took; null: it took none. Left out by a release that knows no digests of orders. */
  accepted: z
    .strictObject({ epoch: whole, generation: whole, digest: orderDigest.nullable() })
    .nullable()
    .exactOptional(),
  facts: agentFacts,
});
export type BundleRequest = z.output<typeof bundleRequest>;

/** By which the agent recognises a version that stands at a place: HMAC-SHA-256(bundle's macKey, value), base64url. */
const known = z.array(z.strictObject({ version: whole, mac: digest }));

const address = { placement: text(1_024), key: text(512) };
const owner = {
  bindingId: z.uuid(),
  secretId: z.uuid(),
  /** For people. */
  secret: text(128),
  slot: z.enum(["primary", "fallback"]),
};

const bundleSlot = z.strictObject({
  ...owner,
  ...address,
  version: whole,
  value: z.string(),
  owned: z.boolean(),
  takeOver: z.boolean(),
  settledVersion: whole.nullable(),
  known,
});

const bundleFile = z.strictObject({
  path: text(1_024),
  format: text(40),
  mode: text(4),
  reader: text(40).exactOptional(),
  newline: z.boolean().exactOptional(),
  write: text(40).exactOptional(),
});

/** By name: what a name means (a command's words, above all) stands in the host's own policy. */
const bundleActivation = z.strictObject({
  /** As an object: of the user's own manager. A release that does not know it refuses the bundle whole. */
  systemd: z.union([text(255), z.strictObject({ unit: text(255), user: z.literal(true) })]).exactOptional(),
  launchd: text(255).exactOptional(),
  command: text(64).exactOptional(),
  signal: z.strictObject({ unit: text(255), name: text(16) }).exactOptional(),
  timeoutSeconds: whole,
});

const order = { storeId: z.uuid(), epoch: whole, generation: whole };

export const bundle = z.strictObject({
  v: z.literal(1),
  kind: z.literal("bundle"),
  agentId: z.uuid(),
  ...order,
  /** Left out where the agent's release would not understand it. */
  orderDigest: orderDigest.nullable().default(null),
  /** By which a person began the epochs that the agent has not taken yet. */
  epochs: z.array(text(MAX_SIGNED)).max(MAX_ENTRIES).exactOptional(),
  /** The request's own: an older answer does not pass for a fresh one. */
  nonce,
  issuedAt: z.iso.datetime(),
  target: text(64),
  environment: text(64),
  /** The committed intent that this bundle carries out; null: nothing is owed, the bundle tells what should stand. */
  pushId: z.uuid().nullable(),
  /** A look that was asked for: the agent looks again and tells by it, whether or not there is news. Null: none. */
  look: text(40).nullable().default(null),
  /** Over which version stands in which slot. */
  digest: text(64),
  /** Of this bundle alone. base64url. */
  macKey: digest,
  files: z.array(bundleFile),
  activate: bundleActivation.nullable(),
  health: z.strictObject({ command: text(64), withinSeconds: whole }).nullable(),
  /** A unit waits that long for further changes before it restarts, and at most `maxQuietMs`. */
  quietMs: whole,
  maxQuietMs: whole,
  slots: z.array(bundleSlot),
  pruned: z.array(z.strictObject({ ...owner, ...address, known })),
  /** Further files in which copies may stand, to be searched. */
  alsoCheck: z.array(text(1_024)).max(32).exactOptional(),
  asks: z.array(bundleAsk).exactOptional(),
  /** To whom a value is sealed that an authority has made newer; there where one may. */
  takeOverKey: publicKey("X25519").exactOptional(),
});
export type Bundle = z.output<typeof bundle>;

/** The agent has everything, and the server knows it. */
export const unchanged = z.strictObject({
  v: z.literal(1),
  kind: z.literal("unchanged"),
  agentId: z.uuid(),
  ...order,
  nonce,
});

export const bundleAnswer = z.discriminatedUnion("kind", [bundle, unchanged]);
export type BundleAnswer = z.output<typeof bundleAnswer>;

/* ---- report ---- */

const found = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("version"), version: wholeInStore }),
  z.strictObject({ kind: z.literal("unknown"), nearly: text(200).exactOptional() }),
  z.strictObject({ kind: z.literal("absent") }),
  z.strictObject({ kind: z.literal("unreadable"), reason: text(500) }),
]);

/** One key: what the plan was and what stood there (`before`), or what the last look showed (`after`). */
const reportedItem = z.strictObject({
  bindingId: z.uuid(),
  secretId: z.uuid(),
  slot: z.enum(["primary", "fallback"]),
  ...address,
  /** Null for unset. */
  version: wholeInStore.nullable(),
  action: z.enum(["set", "unset", "unchanged", "blocked", "left"]),
  found,
});
export type ReportedItem = z.output<typeof reportedItem>;

/** Inside of `newer`'s sealed texts, signed by the agent. `instead`: the version that the service refuses. */
export const newerContent = z.strictObject({
  v: z.literal(1),
  kind: z.literal("newer"),
  bindingId: z.uuid(),
  instead: whole,
  value: z.string().min(1),
});

const failure = z.strictObject({ code: text(64), message: text(1_000) });

/** What the agent's host does not allow, and the lines by which its owner may. */
export const policyRefusal = z.strictObject({
  what: text(200),
  reason: text(500),
  add: text(1_000),
});
export type PolicyRefusal = z.output<typeof policyRefusal>;

const reportedUnit = z.strictObject({
  key: text(500),
  /** `requested`: under way. `blocked`: it failed as often as it is tried by itself. */
  state: z.enum(["requested", "succeeded", "failed", "blocked", "dormant"]),
  /** Digest of the slots that it was started with. */
  digest: text(64),
  /** True where the agent itself started the process with these values: evidence `running`. */
  isOwnChild: z.boolean(),
  incarnation: z
    .record(text(64), z.union([text(200), z.number()]))
    .refine((said) => Object.keys(said).length <= 8)
    .nullable(),
  error: failure.nullable(),
});
export type ReportedUnit = z.output<typeof reportedUnit>;

/**
 * Level, not edge: tells how things stand, may be repeated and lost. `push` is there until the server has taken it;
 * `seen` is the last look at all keys, also without any push, and is how drift is found.
 */
export const report = z.strictObject({
  v: z.literal(1),
  epoch: wholeInStore,
  generation: whole,
  orderDigest: orderDigest.nullable().exactOptional(),
  digest: text(64),
  /** Of the bundle by which was looked: answers a look that was asked for. */
  look: text(40).nullable().default(null),
  push: z
    .strictObject({
      pushId: z.uuid(),
      outcome: z.enum(["applied", "failed"]),
      before: z.array(reportedItem).max(MAX_ITEMS),
      error: failure.nullable(),
    })
    .nullable(),
  seen: z.array(reportedItem).max(MAX_ITEMS),
  units: z.array(reportedUnit).max(MAX_UNITS),
  refused: z.array(policyRefusal).max(MAX_REFUSED),
  /** What services said, by the same look as `seen`. */
  answers: z.array(reportedAnswer).max(MAX_ASKED).exactOptional(),
  newer: z.array(newerValue).max(64).exactOptional(),
  copies: toldCopies.exactOptional(),
  /** What happened since the last report that a person should know: forged or older bundles, for example. */
  incidents: z
    .array(z.strictObject({ at: z.iso.datetime(), code: text(64), message: text(500) }))
    .max(MAX_INCIDENTS),
  facts: agentFacts,
});
export type Report = z.output<typeof report>;
