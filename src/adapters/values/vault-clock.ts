/** Vault's own time: how old something is there is told by no other clock. */
import { z } from "zod";
import { VaultFailure } from "../vault/failure.ts";
import type { Vault } from "../vault/vault.ts";

const health = z.object({ server_time_utc: z.number().int().positive() });

export function createServerClock(vault: Vault, withinMs = 20_000): () => Promise<Date> {
  return async () => {
    const { body } = await vault.call(
      {
        method: "GET",
        path: ["sys", "health"],
        // A standby knows the time as well, and would otherwise answer with a status that is none.
        query: { standbyok: "true", perfstandbyok: "true" },
        writes: false,
      },
      AbortSignal.timeout(withinMs),
    );
    const read = health.safeParse(body);
    if (!read.success) throw new VaultFailure("protocol", "it does not tell its time");
    return new Date(read.data.server_time_utc * 1_000);
  };
}
