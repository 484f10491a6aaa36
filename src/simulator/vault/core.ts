/** From a request to its answer: namespace, token, policy, engine. Knows no HTTP server and no faults. */
import { Acl } from "./access/acl.ts";
import { WRAPPING_POLICY } from "./access/default-policy.ts";
import { parsePolicy } from "./access/hcl.ts";
import { tokenBackend } from "./access/token-backend.ts";
import { type Token, TokenStore } from "./access/tokens.ts";
import { Wrapping } from "./access/wrapping.ts";
import type { VaultClock } from "./clock.ts";
import { healthAnswer, type NodeState } from "./health.ts";
import type { Features } from "./modes.ts";
import { Realm, type RealmNeeds } from "./realm.ts";
import { sysBackend } from "./sys.ts";
import type { Backend, EngineRequest } from "./wire/backend.ts";
import { parseSeconds } from "./wire/fields.ts";
import {
  DEAD_TOKEN,
  envelope,
  type HttpAnswer,
  jsonAnswer,
  NO_CONTENT,
  Refused,
  type Reply,
  refusal,
  wrapped,
} from "./wire/reply.ts";
import {
  answerOfServer,
  namespaceHeader,
  type ParsedRequest,
  parseRequest,
  type RawRequest,
  tokenHeader,
} from "./wire/request.ts";

interface Target {
  readonly backend: Backend;
  /** Below the mount. */
  readonly path: string;
}

export class Core {
  readonly features: Features;
  readonly clock: VaultClock;
  readonly tokens: TokenStore;
  readonly realms = new Map<string, Realm>();
  state: NodeState = "active";
  readonly #wrapping: Wrapping;
  readonly #needs: RealmNeeds;

  constructor(features: Features, clock: VaultClock, maxEntryBytes: number) {
    this.features = features;
    this.clock = clock;
    this.tokens = new TokenStore(features, clock);
    this.#wrapping = new Wrapping(features, clock);
    this.#needs = { features, clock, tokens: this.tokens, maxEntryBytes };
    this.addNamespace("");
  }

  get root(): Realm {
    return this.realm("");
  }

  /** `path` with its slash. */
  realm(path: string): Realm {
    const realm = this.realms.get(path);
    if (realm === undefined) throw new Refused(404, "namespace not found");
    return realm;
  }

  addNamespace(path: string): void {
    const full = path === "" ? "" : `${path.replace(/^\/|\/$/g, "")}/`;
    if (!this.realms.has(full)) this.realms.set(full, new Realm(full, this.#needs));
  }

  /** A living token, a wrapping one included. */
  knows(id: string): boolean {
    return this.tokens.find(id) !== null || this.#wrapping.isWrapping(id);
  }

  handle(raw: RawRequest): HttpAnswer {
    try {
      const early = answerOfServer(raw.url, this.features);
      return early ?? this.#answer(raw, parseRequest(raw, this.features));
    } catch (error) {
      if (error instanceof Refused) return refusal(error);
      throw error;
    }
  }

  #answer(raw: RawRequest, parsed: ParsedRequest): HttpAnswer {
    const header = namespaceHeader(raw);
    const health = healthAnswer(parsed.path, {
      state: this.state,
      features: this.features,
      clock: this.clock,
      query: parsed.data,
      namespace: header,
    });
    if (health !== null) return health;
    if (this.state === "sealed" || this.state === "not-initialized")
      throw new Refused(503, "Vault is sealed");
    if (this.state === "dr-secondary")
      throw new Refused(400, "path disabled in replication DR secondary mode");
    const { realm, path } = this.#resolve(this.features.namespaces ? header : "", parsed.path);
    const isWrite = parsed.operation === "update" || parsed.operation === "patch";
    if (isWrite && path.endsWith("/")) throw new Refused(400, "cannot write to a path ending in '/'");
    const token = tokenHeader(raw);
    const request = { ...parsed, path, remoteAddress: raw.remoteAddress };
    if (path === "sys/wrapping/unwrap" && isWrite) return this.#unwrap(request, token);
    const reply = this.#reply(realm, request, token);
    return this.#toHttp(raw, request, reply);
  }

  /** The namespace of header and path together, and the path within it. */
  #resolve(header: string, path: string): { readonly realm: Realm; readonly path: string } {
    const base = header === "" ? "" : `${header.replace(/^\/|\/$/g, "")}/`;
    if (!this.realms.has(base)) throw new Refused(404, "namespace not found");
    const full = base + path;
    let found = this.realm(base);
    for (const realm of this.realms.values())
      if (full.startsWith(realm.path) && realm.path.length > found.path.length) found = realm;
    return { realm: found, path: full.slice(found.path.length) };
  }

  #reply(realm: Realm, request: ParsedRequest & { remoteAddress: string }, id: string): Reply | null {
    const { path } = request;
    const login = realm.appRoleOf(path);
    if (login !== undefined && path === `${login.mount}login`)
      return login.method.backend.handle({ ...request, path: "login", caller: null });
    const bodyToken = request.data["token"];
    if (path === "sys/wrapping/lookup" && (bodyToken !== undefined || this.#wrapping.isWrapping(id)))
      return this.#sys(realm).handle({
        ...request,
        path: "wrapping/lookup",
        caller: { token: id, policies: [], displayName: "" },
      });
    if (path.startsWith("sys/internal/ui/mounts/")) {
      const token = this.tokens.find(id);
      return this.#sys(realm).handle({
        ...request,
        path: path.slice("sys/".length),
        caller: callerOf(token, id),
      });
    }
    const token = this.#use(id);
    try {
      const isSelf = /^auth\/token\/(?:lookup|renew|revoke)-self$/.test(path);
      return this.#asToken(
        isSelf && token !== null ? this.realm(token.namespace) : realm,
        request,
        token,
        id,
      );
    } finally {
      if (token !== null && token.usesLeft < 0) this.tokens.revoke(token.id);
    }
  }

  #asToken(
    realm: Realm,
    request: ParsedRequest & { remoteAddress: string },
    token: Token | null,
    id: string,
  ): Reply | null {
    const target = this.#target(realm, request.path);
    const exists = request.operation === "update" ? (target?.backend.exists(target.path) ?? null) : null;
    const operation = exists === false ? "create" : request.operation;
    const acl = token === null ? this.#wrappingAcl() : this.#acl(token);
    const full = realm.path + request.path;
    const allowed =
      acl === "root" ? realm.path.startsWith(token?.namespace ?? "") : acl.allows(operation, full);
    if (!allowed) throw new Refused(403, wrapped("permission denied"));
    if (target === null) {
      const route =
        this.features.mode === "vault-1.8"
          ? `'${request.path}'`
          : `"${request.path}". route entry not found.`;
      throw new Refused(404, `no handler for route ${route}`);
    }
    return target.backend.handle({ ...request, operation, path: target.path, caller: callerOf(token, id) });
  }

  /** Counts a use. Null: a wrapping token. Throws Refused for one that is dead, or for none. */
  #use(id: string): Token | null {
    if (id === "") {
      if (this.features.missingTokenIs400) throw new Refused(400, "missing client token");
      throw new Refused(403, "permission denied");
    }
    if (this.#wrapping.isWrapping(id)) return null;
    const token = this.tokens.find(id);
    if (token === null || token.unknownFor > 0) {
      if (token !== null) token.unknownFor -= 1;
      throw new Refused(403, this.deadTokenText);
    }
    if (token.usesLeft > 0) token.usesLeft = token.usesLeft === 1 ? -1 : token.usesLeft - 1;
    return token;
  }

  get deadTokenText(): string {
    return this.features.saysInvalidToken ? DEAD_TOKEN : "permission denied";
  }

  #target(realm: Realm, path: string): Target | null {
    if (path.startsWith("sys/")) return { backend: this.#sys(realm), path: path.slice("sys/".length) };
    if (path.startsWith("auth/token/"))
      return { backend: this.#tokenBackend(), path: path.slice("auth/token/".length) };
    const login = realm.appRoleOf(path);
    if (login !== undefined) return { backend: login.method.backend, path: path.slice(login.mount.length) };
    const mount = realm.mountOf(path);
    return mount === undefined ? null : { backend: mount.backend, path: path.slice(mount.path.length) };
  }

  #sys(realm: Realm): Backend {
    return sysBackend({
      features: this.features,
      realm,
      wrapping: this.#wrapping,
      aclOf: (request: EngineRequest) => {
        const token = this.tokens.find(request.caller?.token ?? "");
        return token === null ? null : this.#acl(token);
      },
      addNamespace: (path) => this.addNamespace(realm.path + path),
      removeNamespace: (path) => {
        this.realms.delete(`${realm.path}${path}/`);
        this.tokens.revokeAllOf(`${realm.path}${path}/`);
      },
    });
  }

  #tokenBackend(): Backend {
    return tokenBackend({
      tokens: this.tokens,
      features: this.features,
      roleExists: ({ role, namespace }) =>
        role === null ||
        this.realms.get(namespace)?.appRoles.get(role.mount.slice(namespace.length))?.hasRole(role.name) ===
          true,
    });
  }

  #acl(token: Token): Acl | "root" {
    if (token.policies.includes("root")) return "root";
    return new Acl(this.realm(token.namespace).rulesOf(token.policies), this.features.openbao);
  }

  #wrappingAcl(): Acl {
    return new Acl(parsePolicy(WRAPPING_POLICY, []), this.features.openbao);
  }

  #unwrap(request: ParsedRequest, id: string): HttpAnswer {
    const inBody = request.data["token"];
    const token = typeof inBody === "string" && inBody !== "" ? inBody : id;
    if (token !== id && !this.#wrapping.isWrapping(token)) this.#wrapping.lookup(token);
    if (token !== id) {
      const own = this.#use(id);
      const acl = own === null ? this.#wrappingAcl() : this.#acl(own);
      if (acl !== "root" && !acl.allows("update", request.path))
        throw new Refused(403, wrapped("permission denied"));
    }
    const answer = this.#wrapping.unwrap(token);
    return jsonAnswer(200, { ...answer, request_id: envelope({})["request_id"] });
  }

  #toHttp(raw: RawRequest, { operation, path }: ParsedRequest, reply: Reply | null): HttpAnswer {
    if (reply === null) {
      if (operation === "read" || operation === "list") throw new Refused(404);
      return NO_CONTENT;
    }
    if (reply.bare === true)
      return { status: reply.status ?? 404, headers: { "content-type": "application/json" }, body: "" };
    if (reply.status !== undefined) return jsonAnswer(reply.status, envelope(reply));
    const { data, auth, warnings } = reply;
    if (operation === "list" && Array.isArray(data?.["keys"]) && data["keys"].length === 0)
      throw new Refused(404);
    if (data === undefined && auth === undefined && (warnings ?? []).length === 0) return NO_CONTENT;
    const answer = envelope(reply);
    const wrapTtl = raw.headers["x-vault-wrap-ttl"];
    if (typeof wrapTtl === "string" && wrapTtl !== "") {
      const seconds = parseSeconds(wrapTtl);
      if (seconds === null || seconds < 0)
        throw new Refused(400, "error parsing X-Vault-Wrap-TTL header: time: invalid duration");
      const accessor = auth?.["accessor"];
      if (seconds > 0)
        return jsonAnswer(
          200,
          this.#wrapping.wrap(answer, path, seconds, typeof accessor === "string" ? accessor : undefined),
        );
    }
    // What `sys/` answers stands at the top as well.
    return jsonAnswer(200, path.startsWith("sys/") && data !== undefined ? { ...data, ...answer } : answer);
  }
}

function callerOf(token: Token | null, id: string) {
  return { token: id, policies: token?.policies ?? [], displayName: token?.displayName ?? "" };
}
