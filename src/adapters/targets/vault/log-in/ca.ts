/** Certificates of authorities, as PEM stands in lockstep.yaml. Pure. */
import { createHash, X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates alone, each once, with one form for one content. Throws a text that quotes nothing. */
export function readAuthorities(text: string): string {
  if (/PRIVATE KEY/.test(text))
    throw new Error("holds a private key; give the authority's certificate alone");
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0)
    throw new Error("is no certificate in PEM form (-----BEGIN CERTIFICATE-----); write the text itself");
  return [...new Set(blocks.map(oneForm))].join("");
}

function oneForm(block: string): string {
  try {
    return new X509Certificate(block).toString();
  } catch {
    throw new Error("holds a certificate that cannot be read; copy it whole");
  }
}

export function digestOf(authorities: string): string {
  return createHash("sha256").update(authorities).digest("hex");
}
