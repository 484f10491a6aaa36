/**
 * Everything that is sealed in rows of its own, for `rewrap`. A further column of sealed text is a further kind here,
 * or its content is lost with the old root key.
 */
export type SealedText = SealedVersion | SealedCredentials | SealedStoreKey | SealedEnrolment | SealedChannel;

export interface SealedVersion {
  readonly kind: "version";
  readonly secretId: string;
  readonly version: number;
  readonly sealed: string;
}

export interface SealedCredentials {
  readonly kind: "credentials";
  readonly targetId: string;
  /** As it was sealed with. */
  readonly destination: string;
  readonly sealed: string;
}

/** The private part of a key that agents pin. */
export interface SealedStoreKey {
  readonly kind: "store-key";
  readonly name: string;
  readonly sealed: string;
}

/** The key by which an enrolment code's owner is recognised. */
export interface SealedEnrolment {
  readonly kind: "enrolment";
  readonly enrolmentId: string;
  readonly sealed: string;
}

/** What opens the way to people. */
export interface SealedChannel {
  readonly kind: "channel";
  readonly name: string;
  /** As it was sealed with. */
  readonly destination: string;
  readonly sealed: string;
}

export interface SealedTextRepo {
  /** In a stable order; `after` is the last of the page before. An empty page is the end. */
  page(after: SealedText | null, limit: number): Promise<readonly SealedText[]>;
  /** How many sealed texts there are under which root key, by its public name; of the store's own row as well. */
  countByKey(): Promise<ReadonlyMap<string, number>>;
  /** False when the row does not hold `text.sealed` any more: what stands there now is newer, and stays. */
  replace(text: SealedText, sealed: string): Promise<boolean>;
}
