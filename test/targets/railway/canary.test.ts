/** Whatever goes wrong, wherever: no error carries a stored value, a sent value, the token, or Railway's own words. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { at, CANARY, never, order, redeploy, set, unitOf, useRailway } from "./kit.ts";

const TOKEN = "canary-token-5e1f-0000";
const forms = [CANARY, TOKEN, "their-own-words"].flatMap((text) => [
  text,
  encodeURIComponent(text),
  Buffer.from(text).toString("base64").slice(0, 16),
]);

const WORK = {
  observe: (target: Target) => target.observe(at("KEPT", "SECRET"), never),
  apply: (target: Target) => target.apply({ ...set({ SECRET: CANARY }), unset: at("OLD") }, order(1), never),
  prepare: async (target: Target) => {
    const { unit, activator } = await unitOf(target);
    return activator.prepare(unit, never);
  },
  activate: (target: Target) => redeploy(target),
  follow: async (target: Target) => {
    const { unit, asked } = await redeploy(target);
    const one = { unit, ...asked, requestedAgoMs: 0, expected: set({ SECRET: CANARY }).set };
    return target.activator?.follow([one], never);
  },
} as const;

const words = `their-own-words ${CANARY} ${TOKEN}`;
const FAULTS = [
  { kind: "graphql-error", message: words },
  { kind: "graphql-error", message: `Not Authorized ${words}` },
  { kind: "graphql-error", message: `Variable ${words} not found` },
  { kind: "graphql-error", message: `Problem processing request ${words}`, code: words },
  { kind: "graphql-rate-limited", message: `try again in 3 seconds ${words}` },
  { kind: "partial-data", message: words },
  { kind: "html-page", status: 200 },
  { kind: "http-error", status: 500 },
  { kind: "rate-limited" },
  { kind: "dropped-connection", applied: true },
] as const;

describe.each(Object.keys(WORK) as (keyof typeof WORK)[])("%s", (name) => {
  const kit = useRailway();

  it.each(FAULTS)("under %j stays silent about what it handled", async (fault) => {
    await kit.railway.state.setVariables({ service: kit.serviceId, variables: { SECRET: CANARY } });
    const { token } = await kit.railway.state.addToken({ kind: "project", token: TOKEN });
    // Each request of the work is the one that goes wrong, in turn.
    for (let skip = 0; skip < 5; skip += 1) {
      await kit.railway.faults.clear({});
      await kit.railway.faults.add({ ...fault, skip });
      const outcome: unknown = await WORK[name](
        kit.open({ token, tokenKind: "project", timeoutMs: 2_000 }),
      ).catch((error: unknown) => error);
      const shown = `${inspect(outcome, { depth: 10, showHidden: true })} ${JSON.stringify(outcome)}`;
      for (const form of forms) expect(shown).not.toContain(form);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(LockstepError);
    }
  });
});
