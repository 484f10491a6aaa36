/**
 * Values through Lockstep's client for Vault beside the same calls bare: written with check-and-set, read back, and data
 * keys wrapped and unwrapped by Transit. Both sides in turn, so that a disturbed second hits both.
 */
import { randomBytes } from "node:crypto";
import { createTransitKeyRing } from "../../../src/adapters/crypto/transit-key-ring.ts";
import { createVault } from "../../../src/adapters/vault/create-vault.ts";
import { createKv } from "../../../src/adapters/vault/kv.ts";
import { createTransit } from "../../../src/adapters/vault/transit.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import type { Bench } from "../support/bench.ts";
import { median, round } from "../support/numbers.ts";
import { openServer } from "./server.ts";

const AT_ONCE = 16;
const ROUNDS = 5;
const UNWRAPS = 1_000;

interface Timed {
  readonly perSecond: number;
  /** Of this process: what the client itself costs. */
  readonly cpuMs: number;
}

export const bench: Bench = {
  about: "values through Lockstep's client for Vault beside the same calls bare",
  async run({ quick, signal, say, cleanUp }) {
    const values = quick ? 500 : 5_000;
    const vault = await openServer(signal, cleanUp);
    const { bare, kvMount, transitMount, key, server } = vault;
    const client = createVault({ server, credential: { kind: "token", token: vault.token } });
    cleanUp(() => client.close());
    const kv = createKv(client);
    const ring = createTransitKeyRing({
      transit: createTransit(client, { mount: transitMount, key }),
      namespace: null,
      mount: transitMount,
      key,
    });
    const secret = randomBytes(32).toString("base64url");
    const perRound = values / ROUNDS;

    const sides = {
      bare: {
        write: (path: string) =>
          bare.ask("POST", `${kvMount}/data/${path}`, { options: { cas: 0 }, data: { value: secret } }),
        read: (path: string) => bare.ask("GET", `${kvMount}/data/${path}`),
      },
      lockstep: {
        write: (path: string) => kv.write({ mount: kvMount, path }, { value: secret }, 0, signal),
        read: (path: string) => kv.read({ mount: kvMount, path }, signal),
      },
    };
    const timed: Record<"bare" | "lockstep", Record<"write" | "read", Timed[]>> = {
      bare: { write: [], read: [] },
      lockstep: { write: [], read: [] },
    };
    for (let round = 0; round <= ROUNDS; round += 1) {
      // Each begins as often as the other; the round before the first warms both up.
      const order = round % 2 === 0 ? (["bare", "lockstep"] as const) : (["lockstep", "bare"] as const);
      if (round > 0) say(`round ${round} of ${ROUNDS}: ${perRound} values on each side`);
      const count = round === 0 ? 50 : perRound;
      for (const call of ["write", "read"] as const) {
        for (const side of order) {
          const took = await timing(count, (index) => sides[side][call](`${side}/${round}/${index}`));
          if (round > 0) timed[side][call].push(took);
        }
      }
    }

    say(`${UNWRAPS} data keys wrapped and unwrapped`);
    const keys = Array.from({ length: UNWRAPS }, () => randomBytes(32));
    const wrapped: Awaited<ReturnType<typeof ring.wrap>>[] = [];
    const wraps = await secondsOf(async () => {
      wrapped.push(...(await Promise.all(keys.map((one, index) => ring.wrap(one, `bench/${index}`)))));
    });
    const unwraps = await secondsOf(async () => {
      const opened = await Promise.all(
        wrapped.map((one, index) => ring.unwrap(one.wrapped, one.keyId, `bench/${index}`)),
      );
      if (opened.some((one, index) => !keys[index]?.equals(one))) throw new Error("another key came back");
    });
    const ciphertexts = wrapped.map(
      ({ keyId, wrapped: bytes }) =>
        `vault:v${keyId.slice(keyId.lastIndexOf("v") + 1)}:${Buffer.from(bytes).toString("base64")}`,
    );
    const singly = await timing(UNWRAPS, (index) =>
      bare.ask("POST", `${transitMount}/decrypt/${key}`, { ciphertext: ciphertexts[index] }),
    );

    const rate = (side: "bare" | "lockstep", call: "write" | "read") =>
      median(timed[side][call].map(({ perSecond }) => perSecond));
    const cpu = (side: "bare" | "lockstep", call: "write" | "read") =>
      median(timed[side][call].map(({ cpuMs }) => cpuMs));
    const ratioOf = (call: "write" | "read") => rate("lockstep", call) / rate("bare", call);
    const both = (side: "bare" | "lockstep") => 2 / (1 / rate(side, "write") + 1 / rate(side, "read"));
    return {
      result: {
        values,
        readsPerSecond: round(rate("lockstep", "read"), 0),
        writesPerSecond: round(rate("lockstep", "write"), 0),
        wrapsPerSecond: round(UNWRAPS / wraps, 0),
        unwrapsPerSecond: round(UNWRAPS / unwraps, 0),
        barePerSecond: round(both("bare"), 0),
        ratio: round(Math.min(ratioOf("read"), ratioOf("write")), 2),
        readRatio: round(ratioOf("read"), 2),
        writeRatio: round(ratioOf("write"), 2),
        bareUnwrapsPerSecond: round(singly.perSecond, 0),
        isRealServer: vault.isReal,
      },
      tables: [
        {
          title: `${values} values, ${AT_ONCE} calls at once, medians of ${ROUNDS} rounds`,
          head: ["call", "bare a second", "Lockstep a second", "ratio", "bare CPU ms a call", "Lockstep's"],
          rows: (["write", "read"] as const).map((call) => [
            call === "write" ? "write, cas 0" : "read",
            round(rate("bare", call), 0),
            round(rate("lockstep", call), 0),
            round(ratioOf(call), 2),
            round(cpu("bare", call), 3),
            round(cpu("lockstep", call), 3),
          ]),
        },
        {
          title: `${UNWRAPS} data keys`,
          head: ["how", "a second"],
          rows: [
            ["wrapped by the key ring, gathered", round(UNWRAPS / wraps, 0)],
            ["unwrapped by the key ring, gathered", round(UNWRAPS / unwraps, 0)],
            ["decrypted bare, one request each", round(singly.perSecond, 0)],
          ],
        },
      ],
      conditions: [
        vault.isReal
          ? "a real server at LOCKSTEP_TEST_VAULT_ADDR; engines of this run's own, removed afterwards"
          : "the stand-in for Vault in a process of its own, over TLS on loopback: its figures are not Vault's, the ratio is ours",
        "bare: Node's https client, keep-alive, up to 16 connections, the same headers, JSON parsed, nothing checked",
        "Lockstep: node-vault builds each request, our transport sends it, every answer's form is checked",
      ],
      limits: [
        "the processors, which both ends share here; at a real server its storage's fsync bounds writes",
        "CPU a call is this process's own: the difference is what checking costs",
      ],
    };
  },
};

async function timing(count: number, work: (index: number) => Promise<unknown>): Promise<Timed> {
  const cpuBefore = process.cpuUsage();
  const seconds = await secondsOf(() =>
    mapLimited(
      Array.from({ length: count }, (_one, index) => index),
      AT_ONCE,
      work,
    ),
  );
  const { user, system } = process.cpuUsage(cpuBefore);
  return { perSecond: count / seconds, cpuMs: (user + system) / 1_000 / count };
}

/** In seconds. */
async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return (performance.now() - begunMs) / 1_000;
}
