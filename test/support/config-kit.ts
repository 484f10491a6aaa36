/**
 * Configuration on a real store with scripted places: configs as short as a test needs them, and the loop driven
 * inline after an apply.
 */
import { randomUUID } from "node:crypto";
import { beforeEach } from "vitest";
import type { AppContext } from "../../src/app/base/context.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { Address } from "../../src/core/ports/place.ts";
import type { DirectKind } from "../../src/core/ports/target-kind.ts";
import { type Config, configSchema } from "../../src/protocol/config.ts";
import type { TestDatabase } from "./database.ts";
import { createLoopKit, type LoopKit } from "./loop-kit.ts";
import { type ScriptedPlace, scriptedKind, scriptedPlace } from "./scripted-target.ts";

export interface ConfigKit {
  readonly loop: LoopKit;
  readonly context: AppContext;
  /** The place of this name, of this test alone. */
  place(name: string): ScriptedPlace;
  /** Targets of these names; `bindings`: "SECRET@target role key?", in the default environment. */
  config(parts: ConfigParts): Config;
  /** The credentials that places were opened with, by place. */
  readonly opened: { readonly place: string; readonly credentials: JsonObject | null }[];
  /** Places that do not answer. */
  readonly away: Set<string>;
  /** Places that never answer, whatever signal they are given. */
  readonly hanging: Set<string>;
}

export interface ConfigParts {
  readonly environment?: string;
  readonly secrets?: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  readonly targets?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** `kind`: what the scripted places pass for. The command line lets through only kinds that a release serves. */
export function createConfigKit(database: TestDatabase, kind = "memory"): ConfigKit {
  const run = randomUUID();
  const opened: { place: string; credentials: JsonObject | null }[] = [];
  const away = new Set<string>();
  const hanging = new Set<string>();
  const loop = createLoopKit(database);
  const nameOf = (name: string): string => `${name}-${run}`;
  const context = loop.other({ targetKinds: new Map([[kind, createKind(kind, { opened, away, hanging })]]) });
  return {
    loop,
    context,
    opened,
    away,
    hanging,
    place: (name) => scriptedPlace(nameOf(name)),
    config: ({ environment = "production", secrets = {}, targets = {}, policies = {} }) =>
      configSchema.parse({
        environments: {
          [environment]: {
            secrets: Object.fromEntries(
              Object.entries(secrets).map(([name, bindings]) => [name, { ...policies[name], bindings }]),
            ),
            targets: Object.fromEntries(
              Object.entries(targets).map(([name, target]) => [
                name,
                { [kind]: { ...target, place: nameOf(String(target["place"] ?? name)) } },
              ]),
            ),
          },
        },
      }),
  };
}

/** One for each test of a suite, on an empty store: the same object throughout, made anew before each. */
export function useConfigKit(getDatabase: () => TestDatabase, kind?: string): ConfigKit {
  const kit = {} as ConfigKit;
  beforeEach(async () => {
    Object.assign(kit, createConfigKit(getDatabase(), kind));
    await kit.loop.reset();
  });
  return kit;
}

/** The scripted kind with an address and a credential of its own, as real kinds have them. */
function createKind(
  kind: string,
  { opened, away, hanging }: Pick<ConfigKit, "opened" | "away" | "hanging">,
): DirectKind {
  return {
    ...scriptedKind,
    kind,
    parse(raw) {
      const { token, ...config } = (raw as Readonly<Record<string, JsonObject>>)[kind] ?? {};
      if (config["broken"] === true) {
        throw new LockstepError("CONFIG_INVALID", "broken is not allowed", {
          details: { path: `${kind}.broken` },
        });
      }
      return { config, credentials: token === undefined ? null : { token } };
    },
    destination: (config) => `memory:${String(config["origin"] ?? "here")}`,
    resolvePlacement: (_, file) => file ?? "",
    assertHoldable: (config, { key }: Address, value) => {
      if (config["singleLine"] === true && value?.reveal().includes("\n")) {
        throw new LockstepError("VALUE_INVALID", "this place holds one line");
      }
      if (key.includes(" ")) throw new LockstepError("KEY_INVALID", "keys have no spaces here");
    },
    open(config, credentials, context) {
      const place = String(config["place"]);
      opened.push({ place, credentials });
      const target = scriptedKind.open(config, credentials, context);
      if ([...hanging].some((name) => place.startsWith(name)))
        return { ...target, observe: () => new Promise(() => undefined) };
      if (![...away].some((name) => place.startsWith(name))) return target;
      return {
        ...target,
        observe: () => Promise.reject(new LockstepError("TARGET_UNREACHABLE", "no answer from the place")),
      };
    },
  };
}
