/** Steps that the cases about Transit share. */
import { expect } from "vitest";
import type { ExpectedServer } from "./server.ts";
import { type JsonObject, textIn, type WireAnswer } from "./wire.ts";

export const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Before 1.10, and for rewrap longer: a fault of the server (500). Since then a refusal of the request. */
export function expectNotOpened({ status, errors }: WireAnswer): void {
  expect([400, 500]).toContain(status);
  const text = "cipher: message authentication failed";
  expect(errors).toEqual([status === 400 ? text : `1 error occurred:\n\t* ${text}\n\n`]);
}

export async function newKey(server: ExpectedServer, settings: JsonObject = {}): Promise<string> {
  const key = server.fresh();
  const answer = await server.ask("POST", `${server.transit}/keys/${key}`, { body: settings });
  expect([200, 204]).toContain(answer.status);
  return key;
}

export function use(
  server: ExpectedServer,
  action: string,
  key: string,
  body: JsonObject,
): Promise<WireAnswer> {
  return server.ask("POST", `${server.transit}/${action}/${key}`, { body });
}

export async function seal(
  server: ExpectedServer,
  key: string,
  text: string,
  more: JsonObject = {},
): Promise<string> {
  const answer = await use(server, "encrypt", key, { plaintext: base64(text), ...more });
  expect(answer.status).toBe(200);
  return textIn(answer.data, "ciphertext");
}

export const rotate = (server: ExpectedServer, key: string) =>
  server.ask("POST", `${server.transit}/keys/${key}/rotate`);
export const configure = (server: ExpectedServer, key: string, body: JsonObject) =>
  server.ask("POST", `${server.transit}/keys/${key}/config`, { body });
export const resultsOf = ({ data }: WireAnswer) => data["batch_results"] as readonly JsonObject[];
