import { setMaxListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusals } from "../../../src/adapters/hosts/ssh/refusals.ts";
import { LockstepError } from "../../../src/core/errors.ts";

const LIMITS = { refusalMs: 5_000, penaltyFromMs: 15_000, longestHoldMs: 0 };
const AT = "deploy@vps.example.com:22";
const never = new AbortController().signal;
setMaxListeners(0, never);

function refusal(): LockstepError {
  return new LockstepError("TARGET_CREDENTIAL_REJECTED", "The key was refused.", { details: { at: AT } });
}

/** A server with OpenSSH's rule: each refused login adds 5 s, and from 15 s on it drops everybody. */
function world() {
  let now = 0;
  let expiry = 0;
  const asked: string[] = [];
  const refusals = new Refusals(LIMITS, () => now);
  return {
    refusals,
    asked,
    isLockedOut: () => expiry - now >= 15_000,
    pass(ms: number) {
      now += ms;
    },
    async login(name: string, ok: boolean): Promise<unknown> {
      return await refusals
        .run(
          name,
          AT,
          async () => {
            asked.push(name);
            await Promise.resolve();
            if (ok) return "in";
            expiry = Math.max(expiry, now) + 5_000;
            throw refusal();
          },
          never,
        )
        .catch((error: unknown) => error);
    },
  };
}

describe("refused logins at one server", () => {
  it("are not asked again at once, and the answer says when they are", async () => {
    const { login, asked, pass } = world();
    await login("a", false);
    expect(await login("a", true)).toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
      message: expect.stringContaining("asked again in 5 s"),
      retryAfterMs: 5_000,
    });
    expect(asked).toEqual(["a"]);
    pass(5_000);
    expect(await login("a", true)).toBe("in");
  });

  it("of many targets at once do not lock the host's other targets out", async () => {
    const { login, asked, isLockedOut } = world();
    await login("good", true);
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => login(`bad-${index}`, false)));
    expect(asked.filter((name) => name.startsWith("bad"))).toHaveLength(2);
    expect(results.filter((error) => (error as LockstepError).details["heldBack"] === true)).toHaveLength(18);
    expect(isLockedOut()).toBe(false);
    expect(await login("good", true)).toBe("in");
  });

  it("hold back unknown logins only as long as one more could cost", async () => {
    const { login, pass } = world();
    await Promise.all([login("a", false), login("b", false)]);
    expect(await login("c", true)).toMatchObject({
      code: "TARGET_UNREACHABLE",
      retryAfterMs: expect.any(Number),
    });
    pass(1);
    expect(await login("c", true)).toBe("in");
  });

  it("count where they happened: a jump host's are not the inner host's", async () => {
    const { refusals } = world();
    const ofJump = new LockstepError("TARGET_CREDENTIAL_REJECTED", "Refused.", { details: { at: "jump" } });
    for (const name of ["a", "b", "c", "d", "a"]) {
      await expect(refusals.run(name, AT, () => Promise.reject(ofJump), never)).rejects.toBe(ofJump);
    }
  });

  it("never reach what the server drops everybody for, in any order", async () => {
    const step = fc.record({
      logins: fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.boolean()), { maxLength: 8 }),
      passMs: fc.integer({ min: 0, max: 8_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const { login, pass, isLockedOut } = world();
        // A key that worked and is refused later adds once each, and is not known any more.
        const isGood = new Map<number, boolean>();
        for (const { logins, passMs } of steps) {
          await Promise.all(
            logins.map(([name, ok]) => {
              if (!isGood.has(name)) isGood.set(name, ok);
              return login(`${name}`, isGood.get(name) ?? ok);
            }),
          );
          expect(isLockedOut()).toBe(false);
          pass(passMs);
        }
      }),
    );
  });
});
