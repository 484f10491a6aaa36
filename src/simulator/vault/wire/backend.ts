/** Vault's framework in small: paths with fields and operations, the first pattern that matches counts. */
import type { Features } from "../modes.ts";
import { Refused, type Reply, wrapped } from "./reply.ts";
import type { Operation } from "./request.ts";

/** What an engine learns of who asks. */
export interface Caller {
  readonly token: string;
  readonly policies: readonly string[];
  readonly displayName: string;
}

export interface EngineRequest {
  readonly operation: Operation;
  /** Below the mount. */
  readonly path: string;
  /** Parameters of body or query. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What the pattern caught. */
  readonly at: Readonly<Record<string, string>>;
  readonly caller: Caller | null;
  readonly remoteAddress: string;
}

type Handler = (request: EngineRequest) => Reply | null;

export interface Route {
  /** Over the path below the mount. */
  readonly pattern: RegExp;
  /** Parameters that it knows; others are ignored, from 1.11 on with a warning. */
  readonly fields?: readonly string[];
  /** By it a write is a `create` or an `update`; without it, an `update`. */
  readonly exists?: (at: Readonly<Record<string, string>>) => boolean;
  readonly read?: Handler;
  readonly list?: Handler;
  readonly create?: Handler;
  readonly update?: Handler;
  readonly patch?: Handler;
  readonly delete?: Handler;
}

export class Backend {
  readonly #routes: readonly Route[];
  readonly #features: Features;

  constructor(routes: readonly Route[], features: Features) {
    this.#routes = routes;
    this.#features = features;
  }

  /** Null: nothing there decides it, so that a write is an update. */
  exists(path: string): boolean | null {
    const found = this.#find(path);
    return found?.route.exists?.(found.at) ?? null;
  }

  handle(request: Omit<EngineRequest, "at">): Reply | null {
    const found = this.#find(request.path);
    if (found === null) throw new Refused(404, wrapped("unsupported path"));
    const { route, at } = found;
    const handler = request.operation === "head" ? undefined : route[request.operation];
    if (handler === undefined) throw new Refused(405, wrapped("unsupported operation"));
    const reply = handler({ ...request, at });
    const unknown = Object.keys(request.data)
      .filter((key) => !(route.fields ?? []).includes(key) && !(key in at))
      .sort();
    const isWrite = ["create", "update", "patch"].includes(request.operation);
    if (!this.#features.warnsOfUnknown || !isWrite || unknown.length === 0 || reply?.status !== undefined)
      return reply;
    const warning = `Endpoint ignored these unrecognized parameters: [${unknown.join(" ")}]`;
    return { ...reply, warnings: [...(reply?.warnings ?? []), warning] };
  }

  #find(path: string): { route: Route; at: Record<string, string> } | null {
    for (const route of this.#routes) {
      const match = route.pattern.exec(path);
      if (match !== null) return { route, at: { ...match.groups } };
    }
    return null;
  }
}
