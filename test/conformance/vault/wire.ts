/** The bare wire: one request, and what came back. Nothing is followed, retried or interpreted. */

export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body, or null where there is none or no JSON. */
  readonly json: JsonObject | null;
  readonly data: JsonObject;
  readonly errors: readonly string[] | undefined;
}

export type JsonObject = { readonly [key: string]: unknown };

export interface WireOptions {
  /** Default: the strong token of the run. Null: none. */
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Wire {
  readonly address: string;
  /** `path` as on the wire, without `/v1/`. */
  ask(method: string, path: string, options?: WireOptions): Promise<WireAnswer>;
}

export function wireTo(address: string, strongToken: string): Wire {
  return {
    address,
    async ask(method, path, { token = strongToken, body, headers = {} } = {}) {
      const response = await fetch(`${address}/v1/${path}`, {
        method,
        redirect: "manual",
        headers: {
          "x-vault-request": "true",
          ...(token === null ? {} : { "x-vault-token": token }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const json = parsed(text);
      return {
        status: response.status,
        headers: response.headers,
        text,
        json,
        data: objectIn(json, "data"),
        errors: json?.["errors"] as readonly string[] | undefined,
      };
    },
  };
}

function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as JsonObject)
      : null;
  } catch {
    return null;
  }
}

/** The object under a key, or an empty one. */
export function objectIn(value: JsonObject | null, key: string): JsonObject {
  const found = value?.[key];
  return found !== null && typeof found === "object" ? (found as JsonObject) : {};
}

export function textIn(value: JsonObject, key: string): string {
  const found = value[key];
  return typeof found === "string" ? found : "";
}

/** Done, with nothing to say but perhaps warnings: 204, which warnings turn into 200. */
export function isDone({ status, json }: WireAnswer): boolean {
  return status === 204 || (status === 200 && json?.["data"] === null && Array.isArray(json["warnings"]));
}

/** A policy's refusal, and nothing else, has this form. */
export const POLICY_REFUSAL = "1 error occurred:\n\t* permission denied\n\n";
