/**
 * What a binding's `usage` may say: where a verifier tells who uses which value, as `lockstep/verify` serves it
 * (`usageEndpoint`) or leaves it in a file (`writeUsageFile`) for the agent beside it. The endpoint's token stands in a
 * secret of the same environment, which the service itself is bound to.
 */
import { z } from "zod";
import { isLoopbackHost } from "../lib/addresses.ts";
import { isPlainPath } from "../lib/plain-path.ts";
import { say, wordUnknownKeys } from "./config-problem.ts";
import { probeUrl, trustedCertificate } from "./probe.ts";

const shape = {
  url: probeUrl.optional(),
  /** Absolute: for an agent on the same machine, in place of `url`. */
  file: z
    .string()
    .max(1_024)
    .refine(isPlainPath, {
      error: say(
        "is not a plain absolute path",
        "Write it as the service does, for example /run/app/usage.json.",
      ),
    })
    .optional(),
  /** The name of the secret that holds the endpoint's token. */
  token: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/, {
      error: say(
        "is not a secret's name",
        "Name the secret of this environment that holds the endpoint's token.",
      ),
    })
    .optional(),
  /** Who asks; `target`: the target's host does, what listens there. */
  from: z.enum(["server", "target"]).default("server"),
  /** Fresh connections, each of which may meet another process: for services of several replicas. */
  connections: z.int().min(1).max(30).default(1),
  timeoutSeconds: z.int().min(1).max(60).default(5),
  caCertificate: trustedCertificate.optional(),
};

export const usageSchema = z
  .strictObject(shape, { error: wordUnknownKeys(Object.keys(shape)) })
  .superRefine(({ from, url, file, token }, context) => {
    const refuse = (path: readonly string[], message: string, remedy: string) =>
      context.addIssue({ code: "custom", path: [...path], message: say(message, remedy) });
    if ((url === undefined) === (file === undefined))
      refuse([], "must hold exactly one of url and file", "Keep one of them.");
    if (url !== undefined && token === undefined)
      refuse([], "does not say what opens its url", "Add `token`: the name of the secret that holds it.");
    if (file !== undefined && token !== undefined)
      refuse(["token"], "goes with url alone", "Leave it out: a file has its owner.");
    const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : null;
    if (from === "target" && parsed !== null && !isLoopbackHost(parsed.hostname))
      refuse(
        ["url"],
        "is not on loopback, and from the target only what listens there can be asked",
        "Use http://127.0.0.1:PORT/…, or from: server.",
      );
  });

export type Usage = z.output<typeof usageSchema>;
