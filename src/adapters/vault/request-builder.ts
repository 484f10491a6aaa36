/**
 * node-vault as the builder of requests, and nothing else of it: its own transport follows redirects with token and body,
 * obeys proxy variables, and puts both into errors. It also fills what is left empty from VAULT_* variables; so everything
 * is said here. No other file may import it.
 */
import type { SecretValue } from "../../core/secret-value.ts";
import { encodePath } from "./paths.ts";
import type { VaultCall, VaultServer } from "./vault.ts";

export interface BuiltRequest {
  /** Absolute path and query, encoded. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Undefined: it is no JSON. */
  readonly body: unknown;
}

export type Send = (request: BuiltRequest) => Promise<RawAnswer>;

export interface Asking {
  /** Null: log-ins send none. */
  readonly token: SecretValue | null;
  /** Of the cluster's consistency. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly send: Send;
}

export type BuildRequest = (call: VaultCall, asking: Asking) => Promise<RawAnswer>;

/** What node-vault hands to a transport; ours travels with it. */
interface HandedOver {
  readonly uri: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly send: Send;
}

/** They answer in no namespace but the root. */
const ROOT_ONLY = /^sys\/(?:health|leader|seal-status)$/;

export async function createRequestBuilder(server: VaultServer): Promise<BuildRequest> {
  // Its import takes longer than a short command: only who asks a Vault pays for it.
  const { default: nodeVault } = await import("node-vault");

  const clientIn = (namespace: string) => {
    const client = nodeVault({
      endpoint: server.address,
      apiVersion: "v1",
      debug: () => undefined,
      "request-promise": { defaults: () => handOver },
    });
    // Empty options were filled from the environment.
    Object.assign(client, { token: "", namespace, pathPrefix: "" });
    client.handleVaultResponse = async (answer: unknown) => answer;
    return client;
  };
  const inNamespace = clientIn(server.namespace ?? "");
  const inRoot = clientIn("");

  return async (call, { token, headers = {}, send }) => {
    const path = encodePath(call.path);
    const client = ROOT_ONLY.test(path) ? inRoot : inNamespace;
    const asked = `${path}${queryOf(call)}`;
    const options = {
      // Made for each request: node-vault writes to it.
      headers: {
        ...headers,
        "X-Vault-Request": "true",
        ...(token === null ? {} : { "X-Vault-Token": token.reveal() }),
        ...(call.body === undefined ? {} : { "Content-Type": contentType(call) }),
      },
      send,
    };
    switch (call.method) {
      case "GET":
      case "LIST":
        return await client.read(asked, options);
      case "POST":
        return await client.write(asked, call.body, options);
      case "DELETE":
        return await client.delete(asked, options);
      case "PUT":
      case "PATCH":
        // Its own `update` drops the headers.
        return await client.request({ ...options, path: `/${asked}`, method: call.method, json: call.body });
    }
  };
}

function queryOf({ method, query }: VaultCall): string {
  if (query === undefined && method !== "LIST") return "";
  const all = new URLSearchParams({ ...query, ...(method === "LIST" ? { list: "true" } : {}) });
  return all.size === 0 ? "" : `?${all}`;
}

function contentType({ method }: VaultCall): string {
  return method === "PATCH" ? "application/merge-patch+json" : "application/json";
}

async function handOver({ uri, method, headers, json, send }: HandedOver): Promise<RawAnswer> {
  return await send({
    // All that follows the origin. It was encoded before it came here: parsing it again for each request costs, and gives nothing.
    path: uri.slice(uri.indexOf("/", uri.indexOf("//") + 2)),
    method,
    headers,
    body: json === undefined ? null : Buffer.from(JSON.stringify(json)),
  });
}
