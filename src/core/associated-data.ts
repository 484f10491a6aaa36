/**
 * What sealed texts are bound to. An attacker who can write the database can replay an older row of the same kind,
 * but cannot make one secret's value open as another's, nor send a credential to another address.
 */
export function versionAssociatedData(secretId: string, version: number): string {
  return `lockstep/secret-version/${secretId}/${version}`;
}

/** `destination` is the kind's canonical text of kind, origin and pin. */
export function credentialsAssociatedData(targetId: string, destination: string): string {
  return `lockstep/target-credentials/${targetId}/${destination}`;
}

export function fingerprintKeyAssociatedData(storeId: string): string {
  return `lockstep/fingerprint-key/${storeId}`;
}

/** `destination`: where its messages go. */
export function channelAssociatedData(name: string, destination: string): string {
  return `lockstep/channel/${name}/${destination}`;
}

/** Of the text by which a start recognises a wrong root key. */
export function keyCheckAssociatedData(storeId: string): string {
  return `lockstep/key-check/${storeId}`;
}

/** Of the private part of a key that others pin. */
export function storeKeyAssociatedData(storeId: string, name: string): string {
  return `lockstep/store-key/${storeId}/${name}`;
}

/** Of the key by which an enrolment code's owner is recognised. */
export function enrolmentAssociatedData(enrolmentId: string): string {
  return `lockstep/enrolment/${enrolmentId}`;
}
