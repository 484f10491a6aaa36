/**
 * The configuration as it travels from the CLI to the server: everything of lockstep.yaml, sorted by environment, with
 * `${env:…}` and `${file:…}` resolved by the CLI, or marks in their place (`credentials.ts`). What a target's own keys mean is its kind's matter; here
 * they are free JSON. Unknown keys are refused everywhere else: a typing error must never become a deletion.
 */
import { z } from "zod";
import { alertsSchema } from "./alerts.ts";
import { say, wordUnknownKeys } from "./config-problem.ts";
import { issueSchema, renewSchema } from "./issue.ts";
import { asMadeHere, openclawProblems } from "./openclaw.ts";
import { probeSchema } from "./probe.ts";
import { usageSchema } from "./usage.ts";

/** Keys at a target that name its kind; exactly one stands there. The kinds that this release serves, and no others. */
export const CONFIG_TARGET_KINDS = ["railway", "ssh", "agent", "vault", "manual"] as const;

/** Keys beside the kind, on hosts. */
export const CONFIG_TARGET_EXTRAS = ["files", "activate", "health", "alsoCheck"] as const;

function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: wordUnknownKeys(Object.keys(shape)) });
}

export const environmentName = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/, {
  error: say(
    "is not a name for an environment",
    "Use lower-case letters, digits, - and _; for example production.",
  ),
});

export const secretName = z.string().regex(/^[A-Z][A-Z0-9_]{0,127}$/, {
  error: say(
    "is not a name for a secret",
    "Use capitals, digits and _, beginning with a letter; give places with other keys a `key:`.",
  ),
});

export const targetName = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, {
  error: say("is not a name for a target", "Use letters, digits, and . _ - inside; for example vps-1."),
});

const fieldName = z.string().regex(/^[a-z][a-zA-Z0-9_]{0,63}$/, {
  error: say(
    "is not a name for a field",
    "Begin with a small letter, then letters, digits and _; for example password.",
  ),
});

// Which keys a place can hold is its kind's matter; here only what no place and no terminal can.
const placeKey = z.string().regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,512}$/u, {
  error: say("is not usable as a key", "Use 1 to 512 visible characters."),
});

/** `90s`, `15m`, `24h`, `30d`, `2w`: kept as written, so that it reads back as it was meant. */
const duration = z.string().regex(/^[1-9][0-9]{0,5}(?:s|m|h|d|w)$/, {
  error: say("is not a duration", "Write a whole number and a unit: 90s, 15m, 24h, 30d or 2w."),
});

const generate = strict({
  random: strict({
    bytes: z.int().min(16).max(1024),
    encoding: z.enum(["base64url", "base64", "hex", "alphanumeric"]).default("base64url"),
  }),
});

const rotate = strict({
  every: duration.optional(),
  /** Older than that, and doctor says so: for what a person rotates. */
  maxAge: duration.optional(),
  /** When a scheduled rotation may begin, in UTC: "02:00-05:00"; over midnight too. */
  window: z
    .string()
    .regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, {
      error: say("is not a window", 'Write two times of the day in UTC: "02:00-05:00".'),
    })
    .optional(),
  strategy: z.enum(["overlap", "swap", "issued", "replace"]).optional(),
  settleFor: duration.optional(),
  undoFor: duration.optional(),
  quietFor: duration.optional(),
  /** How long optional places hold the retirement. */
  optionalFor: duration.optional(),
});

const binding = strict({
  target: targetName,
  /** The explicit word for a target of another environment. */
  environment: environmentName.optional(),
  role: z.enum(["verifier", "caller", "both"]),
  /** The secret's name unless told. */
  key: placeKey.optional(),
  /** Which of the target's files; needed where it has several. */
  file: z.string().min(1).max(4096).optional(),
  /** `<KEY>_FALLBACK` unless told. */
  fallbackKey: placeKey.optional(),
  /** For example `postgres://{{user}}:{{password}}@db/app`. */
  template: z.string().min(1).max(8192).optional(),
  optional: z.boolean().optional(),
  drift: z.enum(["report", "heal"]).optional(),
  probe: probeSchema.optional(),
  /** Where a verifier tells who uses which value. */
  usage: usageSchema.optional(),
  acceptsFallback: z.enum(["attested"]).optional(),
  /** It uses what is stored there, although nothing can show it: a program that reads its file at every start. */
  evidence: z.enum(["attested"]).optional(),
  /** It tries the other value when one is refused (`lockstep/caller`). */
  triesBoth: z.enum(["attested"]).optional(),
  /** The longest silence of a caller: a job that runs every week. */
  silentFor: duration.optional(),
  authority: z.boolean().optional(),
  /** The explicit word for keys that steer loaders and interpreters. */
  allowSteeringKey: z.boolean().optional(),
});

const saidSecret = strict({
  generate: generate.optional(),
  rotate: rotate.optional(),
  /** Fields that change together; a secret without is one value. */
  fields: z.record(fieldName, strict({ generate: generate.optional() })).optional(),
  /** Who makes its tokens, and when the next one is due. */
  issue: issueSchema.optional(),
  renew: renewSchema.optional(),
  bindings: z.array(binding).default([]),
}).superRefine(({ issue, renew, generate: made, fields, rotate: moved, bindings }, context) => {
  const refuse = (path: string, message: string, remedy: string) =>
    context.addIssue({ code: "custom", path: [path], message: say(message, remedy) });
  if (issue !== undefined && (made !== undefined || fields !== undefined))
    refuse(
      "issue",
      "does not go with `generate` and `fields`",
      "An issuer makes the whole value: keep one of them.",
    );
  if (issue?.openclaw !== undefined) {
    for (const { path, message } of openclawProblems(issue.openclaw, bindings, moved?.strategy))
      context.addIssue({ code: "custom", path: [...path], message });
    if (renew !== undefined)
      refuse("renew", "does not go with a token that has no end", "Use `rotate: { every: … }`.");
    return;
  }
  if (issue !== undefined && moved?.every !== undefined)
    refuse(
      "rotate",
      "says `every` of a token that is renewed by its life",
      "Leave `every` out; `renew` says when.",
    );
  if (renew !== undefined && issue === undefined)
    refuse("renew", "needs `issue`: who makes the next token", "Add it, or use `rotate: { every: … }`.");
});

const secret = saidSecret.transform(
  ({ issue, ...rest }): z.output<typeof saidSecret> =>
    issue?.openclaw === undefined
      ? { ...rest, ...(issue === undefined ? {} : { issue }) }
      : { ...rest, ...asMadeHere(issue.openclaw, rest) },
);

const target = z.record(z.string(), z.json());

const environment = strict({
  secrets: z.record(secretName, secret).default({}),
  targets: z.record(targetName, target).default({}),
});

export const configSchema = strict({
  environments: z.record(environmentName, environment),
  /** Where alerts go, by name. Absent: as they are; empty: nowhere. */
  alerts: alertsSchema.optional(),
});

export type Config = z.output<typeof configSchema>;
export type SecretConfig = z.output<typeof secret>;
export type BindingConfig = z.output<typeof binding>;
export type TargetConfig = z.output<typeof target>;
