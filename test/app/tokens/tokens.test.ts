import { beforeAll, expect, it } from "vitest";
import { authenticateToken } from "../../../src/app/tokens/authenticate-token.ts";
import { createToken } from "../../../src/app/tokens/create-token.ts";
import { listTokens, revokeToken } from "../../../src/app/tokens/manage-tokens.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

describeOnAStore("API tokens", (database) => {
  let kit: LoopKit;
  beforeAll(() => {
    kit = createLoopKit(database());
  });
  const refused = { code: "UNAUTHENTICATED", message: "Cannot answer: the request carries no valid token." };

  it("opens with what was shown once; the store keeps only a hash", async () => {
    const { token, id } = await createToken(kit.context, TESTER, {
      name: "ci",
      scopes: ["operator"],
      expiresInMs: null,
    });
    expect(token.reveal()).toMatch(/^lsk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect(await authenticateToken(kit.context, token)).toEqual({
      actor: { kind: "token", id, name: "ci" },
      scopes: ["operator"],
    });
    expect(JSON.stringify(await kit.rows("select * from api_token"))).not.toContain(token.reveal().slice(21));
    expect(JSON.stringify(await listTokens(kit.context))).not.toContain("ecretHash");
  });

  it("a wrong, expired, revoked or malformed token gets one and the same answer", async () => {
    const { token, id } = await createToken(kit.context, TESTER, {
      name: "short",
      scopes: ["viewer"],
      expiresInMs: 1_000,
    });
    const wrong = token.reveal().slice(0, -1) + (token.reveal().endsWith("A") ? "B" : "A");
    for (const text of [
      wrong,
      `lsk_0000000000000000_${"A".repeat(43)}`,
      "",
      "Bearer x",
      `${token.reveal()}A`,
    ]) {
      await expect(authenticateToken(kit.context, SecretValue.of(text))).rejects.toMatchObject(refused);
    }
    const later = kit.other({ clock: { now: () => new Date(Date.now() + 2_000) } });
    await expect(authenticateToken(later, token)).rejects.toMatchObject(refused);
    await revokeToken(kit.context, TESTER, id);
    await expect(authenticateToken(kit.context, token)).rejects.toMatchObject(refused);
    await expect(revokeToken(kit.context, TESTER, id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("nobody makes a token that may more than their own, or that lives for ever by a slip", async () => {
    const wanted = { name: "ci", scopes: ["reveal"], expiresInMs: 60_000 };
    await expect(createToken(kit.context, TESTER, { ...wanted, madeWith: ["admin"] })).rejects.toMatchObject({
      code: "FORBIDDEN",
    });
    await createToken(kit.context, TESTER, { ...wanted, madeWith: ["admin", "reveal"] });
    for (const expiresInMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e15]) {
      await expect(createToken(kit.context, TESTER, { ...wanted, expiresInMs })).rejects.toMatchObject({
        code: "INPUT_INVALID",
      });
    }
  });

  it.each([
    { name: "", scopes: ["admin"] },
    { name: "x".repeat(81), scopes: ["admin"] },
    { name: "bidi\u202e", scopes: ["admin"] },
    { name: "ok", scopes: [] },
    { name: "ok", scopes: ["root"] },
  ])("refuses $name with $scopes before anything is written", async ({ name, scopes }) => {
    const before = (await listTokens(kit.context)).length;
    await expect(createToken(kit.context, TESTER, { name, scopes, expiresInMs: null })).rejects.toMatchObject(
      { code: "INPUT_INVALID" },
    );
    expect(await listTokens(kit.context)).toHaveLength(before);
  });
});
