/**
 * A provider whose refresh tokens are good once, on loopback: counts what it gives, what comes again, and for how long
 * each family of tokens had none that was valid. Its requests cost what a real one's would, without its cryptography.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

interface Family {
  refresh: string;
  validUntilMs: number;
  readonly gapsMs: number[];
  readonly givenAtMs: number[];
}

export async function startBenchProvider(lifeMs: number) {
  const families = new Map<string, Family>();
  const byRefresh = new Map<string, Family>();
  let issues = 0;
  let reuses = 0;
  let down = false;
  const server = createServer(async (request, response) => {
    const sent = new URLSearchParams(await text(request)).get("refresh_token") ?? "";
    if (down) {
      response.writeHead(503).end();
      return;
    }
    const family = byRefresh.get(sent);
    if (family === undefined || family.refresh !== sent) {
      reuses += 1;
      response.writeHead(400, { "Content-Type": "application/json" }).end('{"error":"invalid_grant"}');
      return;
    }
    const nowMs = Date.now();
    if (family.givenAtMs.length > 0) family.gapsMs.push(Math.max(0, nowMs - family.validUntilMs));
    family.validUntilMs = nowMs + lifeMs;
    family.givenAtMs.push(nowMs);
    family.refresh = randomBytes(24).toString("base64url");
    byRefresh.set(family.refresh, family);
    issues += 1;
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store" }).end(
      JSON.stringify({
        access_token: randomBytes(24).toString("base64url"),
        token_type: "Bearer",
        expires_in: lifeMs / 1_000,
        refresh_token: family.refresh,
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    signIn(name: string): string {
      const family: Family = {
        refresh: randomBytes(24).toString("base64url"),
        validUntilMs: 0,
        gapsMs: [],
        givenAtMs: [],
      };
      families.set(name, family);
      byRefresh.set(family.refresh, family);
      return family.refresh;
    },
    setDown(isDown: boolean): void {
      down = isDown;
    },
    /** Of those whose token has ended and who have no next one: how long ago, in ms. */
    overdueMs: (): readonly number[] =>
      [...families.values()].map(({ validUntilMs }) => Math.max(0, Date.now() - validUntilMs)),
    figures: () => ({
      issues,
      reuses,
      gapsMs: [...families.values()].flatMap((family) => family.gapsMs),
      /** By token, when its nth was given. */
      given: (nth: number) => [...families.values()].flatMap(({ givenAtMs }) => givenAtMs[nth] ?? []),
    }),
    async stop() {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}
