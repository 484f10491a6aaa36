/**
 * A server under expectation: its own mounts, policies, roles and tokens under a random name, and what it can do, found
 * out by trying. `remove` takes everything away again; nothing else of the server is touched.
 */
import { randomBytes } from "node:crypto";
import { objectIn, textIn, type Wire, type WireAnswer, wireTo } from "./wire.ts";

export interface Features {
  /** Metadata keeps `custom_metadata`. */
  readonly customMetadata: boolean;
  readonly patch: boolean;
  readonly associatedData: boolean;
  /** The namespace header counts. */
  readonly namespaces: boolean;
}

export interface ExpectedServer extends Wire {
  /** Begins the name of everything that is made. */
  readonly name: string;
  readonly kv: string;
  readonly kv1: string;
  readonly transit: string;
  /** Auth mount, without `auth/`. */
  readonly approle: string;
  readonly features: Features;
  /** A name that was never used on this server. */
  fresh(): string;
  /** Stores the policy and answers a token that has it and nothing else. Further parameters of `auth/token/create` in `more`. */
  tokenFor(hcl: string, more?: Readonly<Record<string, unknown>>): Promise<string>;
  policyFor(hcl: string): Promise<string>;
  createToken(body: Readonly<Record<string, unknown>>): Promise<WireAnswer>;
  remove(): Promise<void>;
}

export async function expectedServer(address: string, strongToken: string): Promise<ExpectedServer> {
  const wire = wireTo(address.replace(/\/$/, ""), strongToken);
  const name = `lockstep-expected-${randomBytes(6).toString("hex")}`;
  const undo: (() => Promise<unknown>)[] = [];
  const must = async (method: string, path: string, body?: unknown): Promise<WireAnswer> => {
    const answer = await wire.ask(method, path, { body });
    if (answer.status >= 300)
      throw new Error(`${method} ${path} was refused: ${answer.status} ${answer.text}`);
    return answer;
  };
  const mount = async (path: string, body: unknown): Promise<string> => {
    await must("POST", `sys/mounts/${path}`, body);
    undo.push(() => wire.ask("DELETE", `sys/mounts/${path}`));
    return path;
  };
  const remove = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
    undo.length = 0;
  };
  let count = 0;
  const fresh = () => {
    count += 1;
    return `${name}-${count}`;
  };
  const policyFor = async (hcl: string): Promise<string> => {
    const policy = fresh();
    await must("PUT", `sys/policies/acl/${policy}`, { policy: hcl });
    undo.push(() => wire.ask("DELETE", `sys/policies/acl/${policy}`));
    return policy;
  };
  const createToken = async (body: Readonly<Record<string, unknown>>): Promise<WireAnswer> => {
    const answer = await wire.ask("POST", "auth/token/create", { body: { ttl: "10m", ...body } });
    const id = textIn(objectIn(answer.json, "auth"), "client_token");
    if (id !== "") undo.push(() => wire.ask("POST", "auth/token/revoke", { body: { token: id } }));
    return answer;
  };
  try {
    const kv = await mount(`${name}/kv`, { type: "kv", options: { version: "2" } });
    const kv1 = await mount(`${name}/kv1`, { type: "kv", options: { version: "1" } });
    const transit = await mount(`${name}/transit`, { type: "transit" });
    const approle = `${name}/approle`;
    await must("POST", `sys/auth/${approle}`, { type: "approle" });
    undo.push(() => wire.ask("DELETE", `sys/auth/${approle}`));
    await untilUpgraded(wire, kv);
    return {
      ...wire,
      name,
      kv,
      kv1,
      transit,
      approle,
      features: await featuresOf(wire, kv, transit, name),
      fresh,
      policyFor,
      createToken,
      async tokenFor(hcl, more = {}) {
        const policies = [await policyFor(hcl)];
        const answer = await createToken({ policies, no_default_policy: true, ...more });
        const id = textIn(objectIn(answer.json, "auth"), "client_token");
        if (id === "") throw new Error(`no token was made: ${answer.status} ${answer.text}`);
        return id;
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A new KV v2 mount says for a moment that it is being upgraded. */
async function untilUpgraded(wire: Wire, kv: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { status, errors } = await wire.ask("GET", `${kv}/config`);
    if (status === 200) return;
    if (!/upgrad/i.test(errors?.[0] ?? "")) throw new Error(`the new KV mount answers ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the new KV mount never became ready");
}

async function featuresOf(wire: Wire, kv: string, transit: string, name: string): Promise<Features> {
  await wire.ask("POST", `${kv}/metadata/features`, {
    body: { custom_metadata: { a: "b" }, max_versions: 2 },
  });
  const metadata = await wire.ask("GET", `${kv}/metadata/features`);
  const patch = await wire.ask("PATCH", `${kv}/data/features`, {
    body: { data: {} },
    headers: { "content-type": "application/merge-patch+json" },
  });
  await wire.ask("POST", `${transit}/keys/features`);
  const sealed = await wire.ask("POST", `${transit}/encrypt/features`, {
    body: { plaintext: "YQ==", associated_data: "YQ==" },
  });
  const opened = await wire.ask("POST", `${transit}/decrypt/features`, {
    body: { ciphertext: sealed.data["ciphertext"] },
  });
  const elsewhere = await wire.ask("GET", "auth/token/lookup-self", {
    headers: { "x-vault-namespace": `${name}-no-such` },
  });
  return {
    customMetadata: metadata.data["custom_metadata"] !== undefined,
    patch: patch.status !== 405,
    associatedData: opened.status === 400,
    namespaces: elsewhere.status !== 200,
  };
}
