/** Which server the double plays, and by what they differ on the wire. */

export const VAULT_MODES = ["vault-1.8", "vault-1.14", "vault-1.21", "openbao-2.6"] as const;
export type VaultMode = (typeof VAULT_MODES)[number];

export interface Features {
  readonly mode: VaultMode;
  /** As `sys/health` tells it. */
  readonly version: string;
  readonly openbao: boolean;
  /** `custom_metadata`, PATCH of data, the capability `patch`: from 1.9. */
  readonly customMetadata: boolean;
  /** A batch item that failed: 400, not 200; PATCH of metadata: from 1.10. */
  readonly partialBatchFails: boolean;
  /** Unknown parameters are warned of: from 1.11. */
  readonly warnsOfUnknown: boolean;
  /** From 1.13. */
  readonly associatedData: boolean;
  /** Keys, rotate and config of Transit answer the key, not 204; a slash at the end of a KV v2 path: from 1.14. */
  readonly transitAnswersKey: boolean;
  /** A request without a token: 400 `missing client token`. */
  readonly missingTokenIs400: boolean;
  /** A dead token: `invalid token` beside `permission denied`: from 1.16. */
  readonly saysInvalidToken: boolean;
  /** AppRole says `invalid role or secret ID` for both: from late 2023. */
  readonly oneLoginText: boolean;
  /** JSON strings in one request, keys included. */
  readonly maxJsonStrings: number;
  /** Bytes of one JSON string. */
  readonly maxJsonStringBytes: number;
  /** The header counts; others ignore it and use the root namespace. */
  readonly namespaces: boolean;
  /** Go's path cleaning redirects with 307 from Go 1.26. */
  readonly cleaningStatus: 301 | 307;
  readonly serviceTokenPrefix: string;
  readonly batchTokenPrefix: string;
}

const OLDEST: Features = {
  mode: "vault-1.8",
  version: "1.8.12",
  openbao: false,
  customMetadata: false,
  partialBatchFails: false,
  warnsOfUnknown: false,
  associatedData: false,
  transitAnswersKey: false,
  missingTokenIs400: true,
  saysInvalidToken: false,
  oneLoginText: false,
  maxJsonStrings: Number.POSITIVE_INFINITY,
  maxJsonStringBytes: Number.POSITIVE_INFINITY,
  namespaces: false,
  cleaningStatus: 301,
  serviceTokenPrefix: "s.",
  batchTokenPrefix: "b.",
};

const MIDDLE: Features = {
  ...OLDEST,
  mode: "vault-1.14",
  version: "1.14.10",
  customMetadata: true,
  partialBatchFails: true,
  warnsOfUnknown: true,
  associatedData: true,
  transitAnswersKey: true,
  missingTokenIs400: false,
  serviceTokenPrefix: "hvs.",
  batchTokenPrefix: "hvb.",
};

const FEATURES: Readonly<Record<VaultMode, Features>> = {
  "vault-1.8": OLDEST,
  "vault-1.14": MIDDLE,
  "vault-1.21": {
    ...MIDDLE,
    mode: "vault-1.21",
    version: "1.21.1",
    saysInvalidToken: true,
    oneLoginText: true,
    maxJsonStringBytes: 1024 * 1024,
  },
  "openbao-2.6": {
    ...MIDDLE,
    mode: "openbao-2.6",
    version: "2.6.2",
    openbao: true,
    oneLoginText: true,
    maxJsonStrings: 1000,
    namespaces: true,
    cleaningStatus: 307,
    serviceTokenPrefix: "s.",
    batchTokenPrefix: "b.",
  },
};

export function featuresOf(mode: VaultMode): Features {
  return FEATURES[mode];
}
