/** All issuers, by the name that a secret's `issue` gives. */
import type { Issuer } from "../../core/ports/issuer.ts";
import type { Connect } from "../outgoing/dial.ts";
import { type AllowedCommands, createCommandIssuer } from "./command/issuer.ts";
import { createHttpIssuer } from "./http/issuer.ts";
import { jwtIssuer } from "./jwt/issuer.ts";
import { createOAuth2Issuer } from "./oauth2/issuer.ts";
import { randomIssuer } from "./random/issuer.ts";

export function createIssuers(options: {
  readonly connect: Connect;
  readonly allowedCommands: AllowedCommands;
}): ReadonlyMap<string, Issuer> {
  const all = [
    randomIssuer,
    jwtIssuer,
    createHttpIssuer(options.connect),
    createOAuth2Issuer(options.connect),
    createCommandIssuer(options.allowedCommands),
  ];
  return new Map(all.map((issuer) => [issuer.kind, issuer]));
}
