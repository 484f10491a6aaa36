/**
 * Tokens that were made together and live as long: how evenly they are renewed, whether any caller lacks a valid one, and
 * whether a refresh token is ever used twice by several workers. Beside it, what a scheduled job that renews all at once
 * would ask of the provider.
 */
import { setTimeout as delay } from "node:timers/promises";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { composeContext } from "../../../src/composition/compose.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { startWorker } from "../../../src/edges/worker/worker.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { readSettings } from "../../../src/settings/settings.ts";
import { TESTER } from "../../support/loop-kit.ts";
import type { Bench } from "../support/bench.ts";
import { percentile, round } from "../support/numbers.ts";
import { createBenchStore } from "../support/store.ts";
import { startBenchProvider } from "./provider.ts";

const WORKERS = 2;

export const bench: Bench = {
  about: "tokens of equal expiry: spread, used once, and nobody without a valid one",
  async run({ quick, signal, say, cleanUp }) {
    const tokens = quick ? 100 : 1_000;
    const lifeMs = quick ? 18_000 : 180_000;
    const rounds = 2;
    const provider = await startBenchProvider(lifeMs);
    cleanUp(() => provider.stop());
    const settings = readSettings({}, await createBenchStore({ cleanUp }));
    const server = await composeContext("server", settings);
    cleanUp(() => server.close());

    say(`${tokens} tokens that live ${lifeMs / 1_000} s`);
    const names = Array.from({ length: tokens }, (_one, index) => `T${index}`);
    const secrets = Object.fromEntries(
      names.flatMap((name) => [
        [`${name}_REFRESH`, {}],
        [
          name,
          {
            issue: {
              oauth2: {
                tokenUrl: provider.url,
                clientId: "bench",
                refreshToken: `${name}_REFRESH`,
                perMinute: 6_000,
              },
            },
          },
        ],
      ]),
    );
    const config = configSchema.parse({ environments: { bench: { secrets } } });
    await applyConfig(server.context, TESTER, { config }, signal);
    await mapLimited(names, 8, (name) =>
      setSecret(
        server.context,
        TESTER,
        { environment: "bench", name: `${name}_REFRESH` },
        { value: SecretValue.of(provider.signIn(name)) },
      ),
    );
    for (let index = 0; index < WORKERS; index += 1) {
      const { context, close } = await composeContext("worker", settings);
      cleanUp(close);
      const worker = await startWorker(context, { concurrency: 10 });
      cleanUp(() => worker.close());
    }
    const reached = async (count: number): Promise<void> => {
      while (provider.figures().given(count - 1).length < tokens) await delay(100, undefined, { signal });
    };
    const begunMs = Date.now();
    await reached(1);
    const firstMs = Date.now() - begunMs;
    say(`the first of each after ${round(firstMs / 1_000)} s`);
    for (let nth = 2; nth <= rounds + 1; nth += 1) {
      await reached(nth);
      say(`round ${nth - 1}`);
    }
    const { issues, reuses, gapsMs, given } = provider.figures();
    const rows = Array.from({ length: rounds }, (_one, index) => {
      const at = [...given(index + 1)].sort((left, right) => left - right);
      const perSecond = new Map<number, number>();
      for (const ms of at) {
        const second = Math.floor(ms / 1_000);
        perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
      }
      return {
        spreadSeconds: round(((at.at(-1) ?? 0) - (at[0] ?? 0)) / 1_000),
        peakPerSecond: Math.max(...perSecond.values()),
      };
    });
    const last = rows.at(-1);
    return {
      result: {
        tokens,
        issues,
        reuses,
        gapsMs: Math.max(0, ...gapsMs, ...provider.overdueMs()),
        spreadSeconds: last?.spreadSeconds ?? null,
        peakPerSecond: last?.peakPerSecond ?? null,
        allAtOncePerSecond: tokens,
        lifeSeconds: lifeMs / 1_000,
        firstPerSecond: round(tokens / (firstMs / 1_000)),
        gapP99Ms: percentile(gapsMs, 0.99),
      },
      tables: [
        {
          title: `${tokens} tokens of ${lifeMs / 1_000} s, ${WORKERS} workers`,
          head: ["round", "spread s", "most in a second", "a job at once: in a second"],
          rows: rows.map((row, index) => [index + 1, row.spreadSeconds, row.peakPerSecond, tokens]),
        },
      ],
      conditions: [
        "each token has a refresh token that the provider takes once; one that comes again is counted as a reuse",
        "gapsMs: the longest time that any of them had no valid token, at the provider's clock",
        `all are made at once in the beginning, so that all end together; due at two thirds of their life less up to a tenth of that`,
      ],
      limits: [
        "one renewal is two transactions and one request on a connection of its own; both ends, PostgreSQL included, share this machine's cores",
        "the sweep puts at most 100 of them into the queue every 2 s",
      ],
    };
  },
};
