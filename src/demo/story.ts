/** What the chapters share. */
import type { Calls } from "./calls.ts";
import { callsTable } from "./calls-table.ts";
import type { HostPlace } from "./places/host.ts";
import type { MiniPlace } from "./places/mini.ts";
import type { OpenPlace } from "./places/place.ts";
import type { RailwayPlace } from "./places/railway.ts";
import type { Product } from "./product.ts";
import type { Screen } from "./screen.ts";

export const SECRET = "INTERNAL_AUTH_SECRET";

export interface Story {
  readonly screen: Screen;
  readonly product: Product;
  readonly calls: Calls;
  readonly railway: RailwayPlace;
  readonly host: HostPlace;
  readonly mini: MiniPlace;
  readonly signal: AbortSignal;
}

export function placesOf({ railway, host, mini }: Story): readonly OpenPlace[] {
  return [railway, host, mini];
}

/** A chapter's assertion did not hold. */
export function assertThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

const PATIENCE_MS = 20_000;

/** Shows the living table until every pair is answered, or refused, as told. */
export async function watchCalls(
  { screen, calls, signal }: Story,
  isAnswered: (from: string, to: string) => boolean,
  what: string,
): Promise<void> {
  const since = performance.now();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  const met = calls.until(isAnswered, { since, signal: deadline }).catch((error: unknown) => {
    throw signal.aborted ? error : new Error(`${what} did not come true in ${PATIENCE_MS / 1000} s`);
  });
  screen.say();
  await screen.live(() => callsTable(calls, since, screen), met);
}

export const everyPair = (): boolean => true;

export interface Standing {
  readonly target: string;
  readonly version: number | null;
  readonly state: string;
}

/** From `lockstep status --json`: where the secret stands. */
export async function standings({
  product,
}: Story): Promise<{ readonly current: number | null; readonly bindings: readonly Standing[] }> {
  const { secrets } = (await product.json(["status"])) as {
    readonly secrets: readonly {
      readonly name: string;
      readonly current: number | null;
      readonly bindings: readonly Standing[];
    }[];
  };
  const found = secrets.find(({ name }) => name === SECRET);
  assertThat(found !== undefined, `lockstep status does not know ${SECRET}`);
  return found;
}
