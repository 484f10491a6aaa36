/** Asks a gateway's double, and tells it to read its token again, as each measured release answers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import { createHostProber } from "../../src/adapters/probes/host-prober.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import type { Gateway } from "../support/openclaw.ts";
import { type DoubleOptions, type GatewayDouble, startGatewayDouble } from "../support/openclaw-double.ts";

const OLD = "canary-gateway-token-old";
const NEW = "canary-gateway-token-new";
const prober = createHostProber({ host: null, connect: createDial({ ownListeners: () => [] }) });
const within = () => AbortSignal.timeout(10_000);

let home: string;
const stops: (() => Promise<void>)[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "openclaw-prober-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  rmSync(home, { recursive: true, force: true });
});

async function start(options: DoubleOptions = {}): Promise<GatewayDouble> {
  const gateway = await startGatewayDouble(home, OLD, options);
  stops.push(gateway.stop);
  return gateway;
}
const ask = ({ port }: Pick<Gateway, "port">, value: string) =>
  prober.probe({ openclaw: { port } }, SecretValue.of(value), within());
const reload = ({ port }: Pick<Gateway, "port">, value: string, is = true) =>
  prober.reload?.({ openclaw: { port, reload: is } }, SecretValue.of(value), within());
const verdicts = async (gateway: Gateway) =>
  await Promise.all([OLD, NEW].map(async (value) => (await ask(gateway, value)).verdict));

describe("a gateway is asked", () => {
  it("and says which token it accepts", async () => {
    expect(await verdicts(await start())).toEqual(["accepted", "refused"]);
  });

  it("who lets nobody in has said nothing about the token", async () => {
    const gateway = await start();
    gateway.isLockedOut = true;
    expect(await ask(gateway, OLD)).toMatchObject({ verdict: "cannot-tell", reason: /^answered 429/ });
  });

  it.each([
    ["another service", 400, { error: { type: "validation" } }],
    ["no JSON", 400, "<html>"],
    ["a proxy that was not declared", 403, { error: { type: "proxy_attribution_required" } }],
    ["one that starts", 503, {}],
    ["one whose health is asked", 200, { ok: true }],
  ])("%s is not it", async (_who, status, body) => {
    const server: Server = createServer((_request, response) => {
      response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(async () => void server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    expect(await ask({ port }, OLD)).toMatchObject({ verdict: "cannot-tell" });
  });

  it("nobody listens", async () => {
    const gateway = await start();
    await stops.pop()?.();
    expect(await ask(gateway, OLD)).toMatchObject({ verdict: "cannot-tell" });
  });

  it.each(["", "two words", "line\nbreak", "ü"])("%j is no token", async (value) => {
    const gateway = await start();
    const answer = await ask(gateway, value);
    expect(answer).toMatchObject({ verdict: "cannot-tell", reason: /cannot be a token/ });
  });
});

describe("a gateway whose token stands in a file of its own", () => {
  const replaced = async (options: DoubleOptions = {}) => {
    const gateway = await start({ layout: "reference", ...options });
    writeFileSync(gateway.tokenFile, NEW, { mode: 0o600 });
    expect(await verdicts(gateway)).toEqual(["accepted", "refused"]);
    return gateway;
  };

  it("reads it when who has the old one says so", async () => {
    const gateway = await replaced();
    await reload(gateway, OLD);
    expect(await verdicts(gateway)).toEqual(["refused", "accepted"]);
  });

  it("hears nobody who has the new one", async () => {
    const gateway = await replaced();
    await reload(gateway, NEW);
    expect(gateway.reloads).toBe(0);
    expect(await verdicts(gateway)).toEqual(["accepted", "refused"]);
  });

  it("is not told where the configuration does not say so", async () => {
    const gateway = await replaced();
    await reload(gateway, OLD, false);
    expect(gateway.reloads).toBe(0);
  });

  it("closes the line by which it was told, and has read it all the same (2026.7.1)", async () => {
    const gateway = await replaced({ release: "2026.7.1" });
    await reload(gateway, OLD);
    expect(await verdicts(gateway)).toEqual(["refused", "accepted"]);
  });

  it("says that it did and has not (2026.3.13), until it starts anew", async () => {
    const gateway = await replaced({ release: "2026.3.13" });
    await reload(gateway, OLD);
    expect(gateway.reloads).toBe(1);
    expect(await verdicts(gateway)).toEqual(["accepted", "refused"]);
    gateway.restart();
    expect(await verdicts(gateway)).toEqual(["refused", "accepted"]);
  });

  it("says that it did and has not, where reloading is turned off", async () => {
    const gateway = await replaced({ reloadMode: "off" });
    await reload(gateway, OLD);
    expect(await verdicts(gateway)).toEqual(["accepted", "refused"]);
  });

  it("that is gone, or never answers, ends the telling and nothing else", async () => {
    const gateway = await replaced();
    await stops.pop()?.();
    await expect(reload(gateway, OLD)).resolves.toBeUndefined();
    const silent = createServer().on("upgrade", () => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    stops.push(async () => void silent.close().closeAllConnections());
    const { port } = silent.address() as AddressInfo;
    await expect(
      prober.reload?.({ openclaw: { port, reload: true } }, SecretValue.of(OLD), AbortSignal.timeout(200)),
    ).resolves.toBeUndefined();
  });
});
