/** Signs JSON Web Tokens (RFC 7519) with a key that is itself a secret here. */
import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Issuer } from "../../../core/ports/issuer.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { durationMs } from "../../../lib/duration.ts";
import type { JwtIssue } from "../../../protocol/issue.ts";
import { keyIdOf, keysAmong, publicKeys, signingKey } from "./keys.ts";

const specOf = (config: JsonObject) => config as unknown as JwtIssue;

export const jwtIssuer: Issuer = {
  kind: "jwt",
  inputs: (config) => [specOf(config).key],
  origin: () => null,
  singleUse: () => null,
  publicKeys: async (config, inputs) => {
    const { key, algorithm } = specOf(config);
    return await publicKeys(inputs.get(key)?.versions ?? [], algorithm);
  },
  async issue({ config, inputs, nowMs }) {
    const {
      key: name,
      algorithm,
      life,
      issuer,
      subject,
      audience,
      claims,
      publishFor,
      backdate,
    } = specOf(config);
    const nowSeconds = Math.floor(nowMs() / 1_000);
    const keys = keysAmong(inputs.get(name)?.versions ?? [], algorithm);
    const key = signingKey(keys, nowMs(), durationMs(publishFor) ?? 0)?.key;
    if (key === undefined)
      throw new LockstepError("ISSUER_REFUSED", `Cannot sign tokens: ${name} has no value.`);
    const kid = await keyIdOf(key);
    const ms = durationMs(life) ?? 0;
    const unsigned = new SignJWT({ ...claims })
      .setProtectedHeader({ alg: algorithm, typ: "JWT", ...(kid === null ? {} : { kid }) })
      .setIssuedAt(nowSeconds - Math.floor((durationMs(backdate) ?? 0) / 1_000))
      .setExpirationTime(nowSeconds + Math.floor(ms / 1_000))
      .setJti(randomUUID());
    if (issuer !== undefined) unsigned.setIssuer(issuer);
    if (subject !== undefined) unsigned.setSubject(subject);
    if (audience !== undefined) unsigned.setAudience(audience);
    const value = SecretValue.of(await unsigned.sign(key));
    return {
      value,
      life: { kind: "until", ms: (nowSeconds + Math.floor(ms / 1_000)) * 1_000 },
    };
  },
};
