/** Transit: what a ring of keys needs, and the ways in which it fails. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import { base64, configure, expectNotOpened, newKey, resultsOf, rotate, seal, use } from "./transit-steps.ts";
import { isDone, POLICY_REFUSAL } from "./wire.ts";

export const TRANSIT: readonly Expectation[] = [
  {
    name: "what was encrypted is decrypted, and its version stands in it",
    async check(server) {
      const key = await newKey(server);
      const sealed = await use(server, "encrypt", key, { plaintext: base64("data key") });
      expect(sealed.data["ciphertext"]).toMatch(/^vault:v1:[A-Za-z0-9+/]+=*$/);
      expect(sealed.data["key_version"]).toBe(1);
      const opened = await use(server, "decrypt", key, { ciphertext: sealed.data["ciphertext"] });
      expect(opened.data["plaintext"]).toBe(base64("data key"));
    },
  },
  {
    name: "a key tells its versions and limits",
    async check(server) {
      const key = await newKey(server);
      const { data } = await server.ask("GET", `${server.transit}/keys/${key}`);
      expect(data).toMatchObject({
        type: "aes256-gcm96",
        derived: false,
        latest_version: 1,
        min_decryption_version: 1,
        min_encryption_version: 0,
        deletion_allowed: false,
        exportable: false,
        allow_plaintext_backup: false,
        supports_encryption: true,
      });
      const unknown = await server.ask("GET", `${server.transit}/keys/${server.fresh()}`);
      expect([unknown.status, unknown.errors]).toEqual([404, []]);
    },
  },
  {
    name: "a key that exists is not made anew",
    async check(server) {
      const key = await newKey(server);
      const sealed = await seal(server, key, "x");
      await server.ask("POST", `${server.transit}/keys/${key}`);
      expect((await use(server, "decrypt", key, { ciphertext: sealed })).status).toBe(200);
    },
  },
  {
    name: "after a rotation the new version encrypts, and the old one still decrypts",
    async check(server) {
      const key = await newKey(server);
      const old = await seal(server, key, "x");
      expect([200, 204]).toContain((await rotate(server, key)).status);
      expect(await seal(server, key, "x")).toMatch(/^vault:v2:/);
      expect((await use(server, "decrypt", key, { ciphertext: old })).data["plaintext"]).toBe(base64("x"));
      const rewrapped = await use(server, "rewrap", key, { ciphertext: old });
      expect(rewrapped.data["ciphertext"]).toMatch(/^vault:v2:/);
      expect(rewrapped.data).not.toHaveProperty("plaintext");
      expect(await seal(server, key, "x", { key_version: 1 })).toMatch(/^vault:v1:/);
    },
  },
  {
    name: "min_decryption_version hides older versions, and can be lowered again",
    async check(server) {
      const key = await newKey(server);
      const old = await seal(server, key, "x");
      await rotate(server, key);
      expect([200, 204]).toContain((await configure(server, key, { min_decryption_version: 2 })).status);
      const refused = await use(server, "decrypt", key, { ciphertext: old });
      expect([refused.status, refused.errors]).toEqual([
        400,
        ["ciphertext or signature version is disallowed by policy (too old)"],
      ]);
      await configure(server, key, { min_decryption_version: 1 });
      expect((await use(server, "decrypt", key, { ciphertext: old })).status).toBe(200);
      expect((await configure(server, key, { min_decryption_version: 9 })).status).toBe(400);
    },
  },
  {
    name: "a version that the key does not have is too new",
    async check(server) {
      const key = await newKey(server);
      const ciphertext = (await seal(server, key, "x")).replace("vault:v1:", "vault:v7:");
      const refused = await use(server, "decrypt", key, { ciphertext });
      expect([refused.status, refused.errors]).toEqual([400, ["invalid ciphertext: version is too new"]]);
      const encrypt = await use(server, "encrypt", key, { plaintext: "YQ==", key_version: 7 });
      expect(encrypt.status).toBe(400);
    },
  },
  {
    name: "what another key sealed, what was changed, and what is none of its texts do not open",
    async check(server) {
      const [key, other] = [await newKey(server), await newKey(server)];
      const foreign = await use(server, "decrypt", key, { ciphertext: await seal(server, other, "x") });
      expectNotOpened(foreign);
      for (const [ciphertext, text] of [
        ["nonsense", "invalid ciphertext: no prefix"],
        ["vault:v1", "invalid ciphertext: wrong number of fields"],
        ["vault:vx:YQ==", "invalid ciphertext: version number could not be decoded"],
        ["vault:v1:!", "invalid ciphertext: could not decode base64"],
      ] as const) {
        const refused = await use(server, "decrypt", key, { ciphertext });
        expect([refused.status, refused.errors]).toEqual([400, [text]]);
      }
    },
  },
  {
    name: "a missing key does not decrypt; encrypting makes it for who may create, and not for who may update alone",
    async check(server) {
      const [missing, made] = [server.fresh(), server.fresh()];
      const refused = await use(server, "decrypt", missing, { ciphertext: "vault:v1:YQ==" });
      expect([refused.status, refused.errors]).toEqual([400, ["encryption key not found"]]);
      const token = await server.tokenFor(`path "${server.transit}/encrypt/*" { capabilities = ["update"] }`);
      const denied = await server.ask("POST", `${server.transit}/encrypt/${missing}`, {
        token,
        body: { plaintext: "YQ==" },
      });
      expect([denied.status, denied.errors]).toEqual([403, [POLICY_REFUSAL]]);
      expect((await server.ask("GET", `${server.transit}/keys/${missing}`)).status).toBe(404);
      await seal(server, made, "x");
      expect((await server.ask("GET", `${server.transit}/keys/${made}`)).status).toBe(200);
    },
  },
  {
    name: "a batch answers in order, and 200 items fit into one",
    async check(server) {
      const key = await newKey(server);
      const texts = Array.from({ length: 200 }, (_, n) => `data key ${n}`);
      const sealed = await use(server, "encrypt", key, {
        batch_input: texts.map((text) => ({ plaintext: base64(text) })),
      });
      expect(sealed.status).toBe(200);
      const opened = await use(server, "decrypt", key, {
        batch_input: resultsOf(sealed).map(({ ciphertext }) => ({ ciphertext })),
      });
      expect(opened.status).toBe(200);
      expect(resultsOf(opened).map(({ plaintext }) => plaintext)).toEqual(texts.map(base64));
    },
  },
  {
    name: "a batch with an item that fails answers the others too, with 200 or 400",
    async check(server) {
      const key = await newKey(server);
      const good = await seal(server, key, "x");
      const answer = await use(server, "decrypt", key, {
        batch_input: [{ ciphertext: good }, { ciphertext: "vault:v9:YQ==" }, { ciphertext: good }],
      });
      expect([200, 400]).toContain(answer.status);
      const [first, second, third] = resultsOf(answer);
      expect([first?.["plaintext"], third?.["plaintext"]]).toEqual([base64("x"), base64("x")]);
      expect(second?.["error"]).toBe("invalid ciphertext: version is too new");
      expect(second?.["plaintext"] ?? "").toBe("");
      const empty = await use(server, "decrypt", key, { batch_input: [] });
      expect(empty.status).toBe(400);
    },
  },
  {
    name: "a batch with a text of another key answers the others too, or breaks as a whole",
    async check(server) {
      const [key, other] = [await newKey(server), await newKey(server)];
      const [good, foreign] = [await seal(server, key, "x"), await seal(server, other, "x")];
      const answer = await use(server, "decrypt", key, {
        batch_input: [{ ciphertext: good }, { ciphertext: foreign }],
      });
      if (answer.status === 500) return expectNotOpened(answer);
      expect([200, 400]).toContain(answer.status);
      const [first, second] = resultsOf(answer);
      expect(first?.["plaintext"]).toBe(base64("x"));
      expect(second?.["error"]).toBe("cipher: message authentication failed");
    },
  },
  {
    name: "rewrap works in batches",
    async check(server) {
      const key = await newKey(server);
      const old = await seal(server, key, "x");
      await rotate(server, key);
      const answer = await use(server, "rewrap", key, {
        batch_input: [{ ciphertext: old }, { ciphertext: old }],
      });
      expect(answer.status).toBe(200);
      for (const { ciphertext } of resultsOf(answer)) expect(ciphertext).toMatch(/^vault:v2:/);
    },
  },
  {
    name: "a context binds derived keys, and does nothing with others",
    async check(server) {
      const [derived, plain] = [await newKey(server, { derived: true }), await newKey(server)];
      const [a, b] = [base64("a"), base64("b")];
      const bound = await seal(server, derived, "x", { context: a });
      const other = await use(server, "decrypt", derived, { ciphertext: bound, context: b });
      expectNotOpened(other);
      const without = await use(server, "encrypt", derived, { plaintext: a });
      expect(without.status).toBe(400);
      const loose = await seal(server, plain, "x", { context: a });
      expect((await use(server, "decrypt", plain, { ciphertext: loose, context: b })).status).toBe(200);
    },
  },
  {
    name: "associated data binds, or is ignored; rewrap does not know it",
    async check(server) {
      const key = await newKey(server);
      const associated_data = base64("secret 1, version 2");
      const ciphertext = await seal(server, key, "x", { associated_data });
      const opened = await use(server, "decrypt", key, { ciphertext, associated_data });
      expect(opened.data["plaintext"]).toBe(base64("x"));
      const without = await use(server, "decrypt", key, { ciphertext });
      const rewrapped = await use(server, "rewrap", key, { ciphertext });
      if (server.features.associatedData) {
        expectNotOpened(without);
        expectNotOpened(rewrapped);
      } else expect([without.status, rewrapped.status]).toEqual([200, 200]);
    },
  },
  {
    name: "plaintext that is no base64, or none, is refused",
    async check(server) {
      const key = await newKey(server);
      const odd = await use(server, "encrypt", key, { plaintext: "!" });
      expect(odd.status).toBe(400);
      const none = await use(server, "encrypt", key, {});
      expect([none.status, none.errors]).toEqual([400, ["missing plaintext to encrypt"]]);
      const nothing = await use(server, "decrypt", key, { ciphertext: "" });
      expect([nothing.status, nothing.errors]).toEqual([400, ["missing ciphertext to decrypt"]]);
    },
  },
  {
    name: "a key's name has no other characters than letters, digits, dots, underscores and dashes",
    async check(server) {
      const answer = await server.ask("GET", `${server.transit}/keys/a%20b`);
      expect(answer.status).toBe(404);
      expect(answer.errors?.[0]).toContain("unsupported path");
    },
  },
  {
    name: "a key is deleted only where that was allowed before",
    async check(server) {
      const key = await newKey(server);
      expect((await server.ask("DELETE", `${server.transit}/keys/${key}`)).status).toBe(400);
      await configure(server, key, { deletion_allowed: true });
      expect(isDone(await server.ask("DELETE", `${server.transit}/keys/${key}`))).toBe(true);
      expect((await server.ask("GET", `${server.transit}/keys/${key}`)).status).toBe(404);
    },
  },
  {
    name: "trimmed versions are gone for good",
    async check(server) {
      const key = await newKey(server);
      await rotate(server, key);
      const early = await server.ask("POST", `${server.transit}/keys/${key}/trim`, {
        body: { min_available_version: 2 },
      });
      expect(early.status).toBe(400);
      await configure(server, key, { min_decryption_version: 2, min_encryption_version: 2 });
      const trim = await server.ask("POST", `${server.transit}/keys/${key}/trim`, {
        body: { min_available_version: 2 },
      });
      expect([200, 204]).toContain(trim.status);
      expect((await configure(server, key, { min_decryption_version: 1 })).status).toBe(400);
      const { data } = await server.ask("GET", `${server.transit}/keys/${key}`);
      expect(data["min_available_version"]).toBe(2);
    },
  },
];
