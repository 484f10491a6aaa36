/** The AppRole auth method: roles, secret ids, login. */
import { randomUUID } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import type { Features } from "../modes.ts";
import { Backend, type EngineRequest } from "../wire/backend.ts";
import { boolField, intField, listField, secondsField, textField } from "../wire/fields.ts";
import { type Json, Refused, type Reply } from "../wire/reply.ts";
import { authOf } from "./token-backend.ts";
import type { TokenStore } from "./tokens.ts";

interface SecretId {
  readonly accessor: string;
  readonly expiresMs: number | null;
  /** 0: without limit. */
  usesLeft: number;
  readonly boundCidrs: readonly string[];
}

interface Role {
  readonly name: string;
  roleId: string;
  settings: Record<string, unknown>;
  readonly secretIds: Map<string, SecretId>;
}

const SETTINGS = [
  "bind_secret_id",
  "secret_id_bound_cidrs",
  "secret_id_num_uses",
  "secret_id_ttl",
  "token_policies",
  "policies",
  "token_ttl",
  "token_max_ttl",
  "token_explicit_max_ttl",
  "token_period",
  "token_num_uses",
  "token_type",
  "token_no_default_policy",
  "token_bound_cidrs",
  "role_id",
  "local_secret_ids",
] as const;

export class AppRole {
  readonly backend: Backend;
  readonly #roles = new Map<string, Role>();
  readonly #tokens: TokenStore;
  readonly #features: Features;
  readonly #mount: string;
  readonly #namespace: string;

  /** `mount`: `auth/approle/`. */
  constructor(tokens: TokenStore, features: Features, mount: string, namespace: string) {
    this.#tokens = tokens;
    this.#features = features;
    this.#mount = mount;
    this.#namespace = namespace;
    const write = (request: EngineRequest) => this.#write(request);
    const makeSecretId = (custom: boolean) => (request: EngineRequest) => this.#makeSecretId(request, custom);
    this.backend = new Backend(
      [
        { pattern: /^login$/, fields: ["role_id", "secret_id"], update: (request) => this.#login(request) },
        { pattern: /^role\/?$/, list: () => ({ data: { keys: [...this.#roles.keys()].sort() } }) },
        {
          pattern: /^role\/(?<name>[\w.-]+)$/,
          fields: SETTINGS,
          exists: ({ name = "" }) => this.#roles.has(name),
          read: ({ at: { name = "" } }) => {
            const role = this.#roles.get(name);
            return role === undefined ? null : { data: role.settings };
          },
          create: write,
          update: write,
          delete: ({ at: { name = "" } }) => {
            this.#roles.delete(name);
            return null;
          },
        },
        {
          pattern: /^role\/(?<name>[\w.-]+)\/role-id$/,
          fields: ["role_id"],
          read: ({ at: { name = "" } }) => {
            const role = this.#roles.get(name);
            return role === undefined ? null : { data: { role_id: role.roleId } };
          },
          update: ({ at, data }) => {
            this.#role(at).roleId = textField(data, "role_id") ?? "";
            return null;
          },
        },
        {
          pattern: /^role\/(?<name>[\w.-]+)\/secret-id$/,
          fields: ["metadata", "cidr_list", "token_bound_cidrs", "num_uses", "ttl"],
          update: makeSecretId(false),
        },
        {
          pattern: /^role\/(?<name>[\w.-]+)\/custom-secret-id$/,
          fields: ["secret_id", "metadata", "cidr_list", "token_bound_cidrs", "num_uses", "ttl"],
          update: makeSecretId(true),
        },
        {
          pattern: /^role\/(?<name>[\w.-]+)\/secret-id\/destroy$/,
          fields: ["secret_id"],
          update: ({ at, data }) => {
            this.#role(at).secretIds.delete(textField(data, "secret_id") ?? "");
            return null;
          },
        },
      ],
      features,
    );
  }

  hasRole(name: string): boolean {
    return this.#roles.has(name);
  }

  #role(at: Readonly<Record<string, string>>): Role {
    const role = this.#roles.get(at["name"] ?? "");
    if (role === undefined) throw new Refused(400, `role "${at["name"]}" does not exist`);
    return role;
  }

  #write({ at: { name = "" }, data }: EngineRequest): null {
    const role: Role = this.#roles.get(name) ?? {
      name,
      roleId: randomUUID(),
      settings: { bind_secret_id: true },
      secretIds: new Map(),
    };
    const settings = { ...role.settings };
    for (const key of SETTINGS) if (data[key] !== undefined) settings[key] = data[key];
    const bound = (listField(settings, "token_bound_cidrs") ?? []).length > 0;
    const secretBound = (listField(settings, "secret_id_bound_cidrs") ?? []).length > 0;
    if (!(boolField(settings, "bind_secret_id") ?? true) && !bound && !secretBound)
      throw new Refused(400, "at least one constraint should be enabled on the role");
    const [ttl, max] = [
      secondsField(settings, "token_ttl") ?? 0,
      secondsField(settings, "token_max_ttl") ?? 0,
    ];
    if (max > 0 && ttl > max) throw new Refused(400, `"token_ttl" cannot be greater than "token_max_ttl"`);
    role.settings = settings;
    role.roleId = textField(data, "role_id") ?? role.roleId;
    this.#roles.set(name, role);
    return null;
  }

  #makeSecretId({ at, data }: EngineRequest, custom: boolean): Reply {
    const role = this.#role(at);
    const own = textField(data, "secret_id") ?? "";
    if (custom && own === "") throw new Refused(400, "missing secret_id");
    const ttl = secondsField(data, "ttl") ?? secondsField(role.settings, "secret_id_ttl") ?? 0;
    const uses = intField(data, "num_uses") ?? intField(role.settings, "secret_id_num_uses") ?? 0;
    const secretId = custom ? own : randomUUID();
    const accessor = randomUUID();
    role.secretIds.set(secretId, {
      accessor,
      expiresMs: ttl === 0 ? null : this.#tokens.nowMs() + ttl * 1000,
      usesLeft: uses,
      boundCidrs: listField(data, "cidr_list") ?? [],
    });
    const count = this.#features.warnsOfUnknown ? { secret_id_num_uses: uses } : {};
    return { data: { secret_id: secretId, secret_id_accessor: accessor, secret_id_ttl: ttl, ...count } };
  }

  #login({ data, remoteAddress }: EngineRequest): Reply {
    const roleId = (textField(data, "role_id") ?? "").trim();
    if (roleId === "") throw new Refused(400, "missing role_id");
    const role = [...this.#roles.values()].find((one) => one.roleId === roleId);
    if (role === undefined)
      throw new Refused(400, this.#features.oneLoginText ? "invalid role or secret ID" : "invalid role ID");
    if (boolField(role.settings, "bind_secret_id") ?? true)
      this.#useSecretId(role, (textField(data, "secret_id") ?? "").trim(), remoteAddress);
    const bound = listField(role.settings, "secret_id_bound_cidrs") ?? [];
    if (bound.length > 0 && !isWithin(remoteAddress, bound))
      throw new Refused(
        400,
        `source address "${remoteAddress}" unauthorized by CIDR restrictions on the role: <nil>`,
      );
    return this.#issue(role);
  }

  #useSecretId(role: Role, secretId: string, remoteAddress: string): void {
    if (secretId === "") throw new Refused(400, "missing secret_id");
    const found = role.secretIds.get(secretId);
    if (found === undefined || (found.expiresMs !== null && found.expiresMs <= this.#tokens.nowMs()))
      throw new Refused(400, this.#features.oneLoginText ? "invalid role or secret ID" : "invalid secret id");
    // A use counts even when the address is refused after it.
    if (found.usesLeft === 1) role.secretIds.delete(secretId);
    else if (found.usesLeft > 1) found.usesLeft -= 1;
    if (found.boundCidrs.length > 0 && !isWithin(remoteAddress, found.boundCidrs))
      throw new Refused(
        400,
        `source address "${remoteAddress}" unauthorized through CIDR restrictions on the secret ID`,
      );
  }

  #issue({ name, settings }: Role): Reply {
    const policies = listField(settings, "token_policies") ?? listField(settings, "policies") ?? [];
    const noDefault = boolField(settings, "token_no_default_policy") ?? false;
    const meta: Json = { role_name: name };
    const { token, warnings } = this.#tokens.issue({
      kind: textField(settings, "token_type") === "batch" ? "batch" : "service",
      policies: [
        ...new Set([...policies.map((one) => one.toLowerCase()), ...(noDefault ? [] : ["default"])]),
      ],
      namespace: this.#namespace,
      ttlSeconds: secondsField(settings, "token_ttl") || undefined,
      periodSeconds: secondsField(settings, "token_period") ?? 0,
      explicitMaxSeconds: secondsField(settings, "token_explicit_max_ttl") ?? 0,
      roleMaxSeconds: secondsField(settings, "token_max_ttl") ?? 0,
      orphan: true,
      path: `${this.#mount}login`,
      displayName: "approle",
      meta: meta as Record<string, string>,
      usesLeft: intField(settings, "token_num_uses") ?? 0,
      role: { mount: this.#namespace + this.#mount, name },
    });
    return { auth: authOf(token, token.creationTtlSeconds), warnings };
  }
}

function isWithin(address: string, cidrs: readonly string[]): boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [net = "", bits] = cidr.split("/");
    const family = isIPv6(net) ? "ipv6" : "ipv4";
    list.addSubnet(net, bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits), family);
  }
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
