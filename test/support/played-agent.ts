/**
 * An agent as far as the wire goes, played with the protocol's own functions: enrols, signs requests (also wrongly, when
 * told), opens what it is sent, holds a stream of events.
 */
import { createHash, randomBytes, sign } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { calculateJwkThumbprint } from "jose";
import {
  deriveEnrolmentKeys,
  type EnrolmentCode,
  enrolmentMac,
  parseEnrolmentCode,
} from "../../src/protocol/agent/enrolment-code.ts";
import { openMessage, type PrivateJwk, type PublicJwk } from "../../src/protocol/agent/envelope.ts";
import { newEncryptionKey, newSigningKey } from "../../src/protocol/agent/keys.ts";
import {
  type EnrolmentRequest,
  sealedAnswer,
  type Welcome,
  welcome as welcomeSchema,
} from "../../src/protocol/agent/messages.ts";
import { AGENT_PATHS } from "../../src/protocol/agent/paths.ts";
import {
  AUTHORIZATION_SCHEME,
  type SignedRequest,
  signRequest,
} from "../../src/protocol/agent/request-token.ts";

export interface AgentKeys {
  readonly signKey: PrivateJwk;
  readonly encryptKey: PrivateJwk;
}

export interface PlayedIdentity extends AgentKeys {
  readonly url: string;
  readonly pin: string | null;
  readonly agentId: string;
  readonly storeId: string;
  readonly bundleKey: PublicJwk;
}

export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  json(): unknown;
}

export interface Address {
  readonly url: string;
  /** sha256 of the server's public key, base64url. */
  readonly pin: string | null;
}

export const FACTS = {
  version: "0.0.0-test",
  hostname: "played",
  platform: "test",
  instance: randomBytes(16).toString("base64url"),
};

export function nonce(): string {
  return randomBytes(16).toString("base64url");
}

export function newAgentKeys(): AgentKeys {
  return { signKey: newSigningKey(), encryptKey: newEncryptionKey() };
}

export function publicOf({ kty, crv, x }: PrivateJwk): PublicJwk {
  return { kty, crv, x };
}

/** Answers once the head is there; rejects when the server shows another key than the pinned one. */
export function open({ url, pin }: Address, wire: WireRequest): Promise<IncomingMessage> {
  const { protocol, hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = (protocol === "https:" ? httpsRequest : httpRequest)(
      {
        host: hostname.replace(/^\[|\]$/g, ""),
        port,
        method: wire.method,
        path: wire.path,
        agent: false,
        rejectUnauthorized: false,
        headers: {
          ...(wire.body === undefined ? {} : { "content-length": String(Buffer.byteLength(wire.body)) }),
          ...wire.headers,
        },
      },
      (answer) => {
        const key = (answer.socket as TLSSocket).getPeerX509Certificate?.()?.publicKey;
        const digest =
          key &&
          createHash("sha256")
            .update(key.export({ type: "spki", format: "der" }))
            .digest("base64url");
        if (pin === null || pin === digest) resolve(answer);
        else outgoing.destroy(new Error("another key than the pinned one"));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(wire.body);
  });
}

export async function ask(address: Address, wire: WireRequest): Promise<WireAnswer> {
  const answer = await open(address, wire);
  const body = await text(answer);
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text: body,
    json: (): unknown => JSON.parse(body),
  };
}

/** What may be wrong about a signed request. */
export interface Forgery extends Partial<SignedRequest> {
  readonly nowSeconds?: number;
  readonly signKey?: PrivateJwk;
}

export async function signedRequest(
  identity: PlayedIdentity,
  wire: { readonly method: "GET" | "POST"; readonly path: string; readonly body?: string },
  { nowSeconds = Math.floor(Date.now() / 1_000), signKey = identity.signKey, ...claims }: Forgery = {},
): Promise<WireRequest> {
  const token = await signRequest(
    {
      agentId: identity.agentId,
      storeId: identity.storeId,
      method: wire.method,
      path: wire.path,
      bodyDigest: createHash("sha256")
        .update(wire.body ?? "")
        .digest("base64url"),
      tokenId: nonce(),
      ...claims,
    },
    signKey,
    nowSeconds,
  );
  return {
    ...wire,
    headers: {
      authorization: `${AUTHORIZATION_SCHEME} ${token}`,
      ...(wire.method === "POST" ? { "content-type": "application/json" } : {}),
    },
  };
}

export async function post(identity: PlayedIdentity, path: string, content: unknown, forgery?: Forgery) {
  return ask(
    identity,
    await signedRequest(identity, { method: "POST", path, body: JSON.stringify(content) }, forgery),
  );
}

export interface PlayedStream {
  /** How many changes were heard. */
  changes(): number;
  /** Everything that came. */
  heard(): string;
  untilChanges(count: number): Promise<void>;
  readonly ended: Promise<void>;
  close(): void;
}

/** Throws when it is refused. */
export async function listen(identity: PlayedIdentity): Promise<PlayedStream> {
  const answer = await open(
    identity,
    await signedRequest(identity, { method: "GET", path: AGENT_PATHS.events }),
  );
  if (answer.statusCode !== 200) throw new Error(`events answered ${answer.statusCode}`);
  let heard = "";
  const waiting = new Set<() => void>();
  const look = (): void => {
    for (const each of [...waiting]) each();
  };
  const changes = (): number => heard.split("event: change\n").length - 1;
  answer.on("data", (chunk: Buffer) => {
    heard += chunk.toString("utf8");
    look();
  });
  const ended = new Promise<void>((resolve) => {
    answer.once("close", resolve);
    answer.on("error", () => undefined);
  });
  return {
    changes,
    heard: () => heard,
    ended,
    untilChanges: (count) =>
      new Promise((resolve) => {
        const each = (): void => {
          if (changes() < count) return;
          waiting.delete(each);
          resolve();
        };
        waiting.add(each);
        each();
      }),
    close: () => answer.destroy(),
  };
}

export function enrolmentRequest(code: EnrolmentCode, keys: AgentKeys, ownNonce = nonce()): EnrolmentRequest {
  const { lookup, macKey } = deriveEnrolmentKeys(code.random);
  const content = JSON.stringify({
    v: 1,
    lookup,
    nonce: ownNonce,
    signKey: publicOf(keys.signKey),
    encryptKey: publicOf(keys.encryptKey),
    facts: FACTS,
  });
  return { content, mac: enrolmentMac(macKey, content), signature: signText(content, keys) };
}

export function signText(content: string, { signKey }: AgentKeys): string {
  return sign(null, Buffer.from(content), { key: { ...signKey }, format: "jwk" }).toString("base64url");
}

export class Distrust extends Error {}

/** As the agent does it; `address` where it is to be reached when that is not what the code says. Throws Distrust. */
export async function enrol(
  codeText: string,
  address?: Address,
  keys = newAgentKeys(),
): Promise<PlayedIdentity> {
  const { identity, welcome } = await greet(codeText, address, keys);
  const confirmed = await post(identity, AGENT_PATHS.confirm, { v: 1, challenge: welcome.challenge });
  if (confirmed.status !== 204) throw new Distrust(`confirm answered ${confirmed.status} ${confirmed.text}`);
  return identity;
}

/** The first half: known to the server, not active yet. */
export async function greet(
  codeText: string,
  address?: Address,
  keys = newAgentKeys(),
): Promise<{ readonly identity: PlayedIdentity; readonly welcome: Welcome }> {
  const code = parseEnrolmentCode(codeText);
  if (code === null) throw new Distrust("no code");
  const place = address ?? { url: code.url, pin: code.tlsKeyDigest };
  const ownNonce = nonce();
  const answer = await ask(place, {
    method: "POST",
    path: AGENT_PATHS.enrol,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(enrolmentRequest(code, keys, ownNonce)),
  });
  if (answer.status !== 200) throw new Distrust(`enrol answered ${answer.status} ${answer.text}`);
  const { sealed, bundleKey } = sealedAnswer.parse(answer.json());
  if (bundleKey === undefined || (await calculateJwkThumbprint({ ...bundleKey })) !== code.bundleKeyDigest) {
    throw new Distrust("not the bundle key that the code names");
  }
  const opened = welcomeSchema.safeParse(
    await openMessage(sealed, { decryptWith: keys.encryptKey, signedBy: bundleKey }),
  );
  if (!opened.success || opened.data.nonce !== ownNonce) throw new Distrust("not a welcome for us");
  const { agentId, storeId } = opened.data;
  return { identity: { ...place, ...keys, agentId, storeId, bundleKey }, welcome: opened.data };
}
