/** What every place of the demo offers: a service that is reached at an address, and its part of lockstep.yaml. */

/** By service: where its peers reach it. */
export type Addresses = Readonly<Record<string, string>>;

export interface Place {
  readonly service: string;
  /** The target's entry in lockstep.yaml, as lines below `targets:`. */
  readonly target: readonly string[];
  /** For `${env:…}` in that entry. */
  readonly variables: Readonly<Record<string, string>>;
  /** The value that stands there: for assertions, never for the screen. */
  stored(): Promise<string | null>;
}

export interface Opening {
  readonly addresses: Addresses;
  readonly reportTo: string;
  readonly secret: string;
}

/** One whose service is not started with it. */
export interface OpenPlace extends Place {
  readonly address: string;
  /** Starts the service with this value. */
  open(opening: Opening): Promise<void>;
}

/** What a service of the demo needs to know in addition to the secret. */
export function serviceVariables(
  service: string,
  options: { readonly addresses: Addresses; readonly reportTo: string },
): Readonly<Record<string, string>> {
  const peers = Object.entries(options.addresses).filter(([name]) => name !== service);
  return {
    SERVICE_NAME: service,
    PEERS: peers.map(([name, url]) => `${name}=${url}`).join(" "),
    REPORT_TO: options.reportTo,
  };
}
