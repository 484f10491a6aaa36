/**
 * A real OpenID provider (oidc-provider) on loopback, with one confidential client. Its refresh tokens are replaced with
 * every use; one that is used twice ends everything that came of it (RFC 9700, 4.14.2).
 */
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

export interface OpenIdProvider {
  readonly url: string;
  readonly clientSecret: string;
  /** As after a sign-in by a person: a refresh token that was never used. */
  signIn(): Promise<string>;
  /** How often tokens were given. */
  grants(): number;
  /** How often a used refresh token came again. */
  reuses(): number;
  stop(): Promise<void>;
}

export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey: signing } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const clientSecret = "canary-client-secret";
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "lockstep",
        client_secret: clientSecret,
        grant_types: ["client_credentials", "refresh_token", "authorization_code"],
        redirect_uris: ["http://127.0.0.1/callback"],
        response_types: ["code"],
      },
    ],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access"],
    ttl: { AccessToken: 60, ClientCredentials: 60, RefreshToken: 3_600, Grant: 3_600, IdToken: 60 },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    jwks: { keys: [{ ...signing.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
    cookies: { keys: ["test"] },
  });
  let grants = 0;
  let reuses = 0;
  provider.on("grant.success", () => {
    grants += 1;
  });
  provider.on("grant.revoked", () => {
    reuses += 1;
  });
  server.on("request", provider.callback());
  return {
    url,
    clientSecret,
    async signIn() {
      const client = await provider.Client.find("lockstep");
      const grant = new provider.Grant({ accountId: "somebody", clientId: "lockstep" });
      grant.addOIDCScope("openid offline_access");
      const grantId = await grant.save();
      return new provider.RefreshToken({
        accountId: "somebody",
        client,
        grantId,
        gty: "authorization_code",
        scope: "openid offline_access",
      }).save();
    },
    grants: () => grants,
    reuses: () => reuses,
    async stop() {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}
