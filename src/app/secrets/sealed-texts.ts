/** What `rewrap` knows of each kind of sealed text: what it is bound to, and how it is named where it does not open. */
import {
  channelAssociatedData,
  credentialsAssociatedData,
  enrolmentAssociatedData,
  storeKeyAssociatedData,
  versionAssociatedData,
} from "../../core/associated-data.ts";
import type { SealedText } from "../../core/store/sealed-texts.ts";
import { assertNever } from "../../lib/assert-never.ts";

export type UnreadableText =
  | { readonly kind: "version"; readonly secretId: string; readonly version: number }
  | { readonly kind: "credentials"; readonly targetId: string }
  | { readonly kind: "store-key"; readonly name: string }
  | { readonly kind: "enrolment"; readonly enrolmentId: string }
  | { readonly kind: "channel"; readonly name: string };

export function associatedDataOf(storeId: string, text: SealedText): string {
  switch (text.kind) {
    case "version":
      return versionAssociatedData(text.secretId, text.version);
    case "credentials":
      return credentialsAssociatedData(text.targetId, text.destination);
    case "store-key":
      return storeKeyAssociatedData(storeId, text.name);
    case "enrolment":
      return enrolmentAssociatedData(text.enrolmentId);
    case "channel":
      return channelAssociatedData(text.name, text.destination);
    default:
      return assertNever(text);
  }
}

export function nameOf(text: SealedText): UnreadableText {
  switch (text.kind) {
    case "version":
      return { kind: text.kind, secretId: text.secretId, version: text.version };
    case "credentials":
      return { kind: text.kind, targetId: text.targetId };
    case "store-key":
      return { kind: text.kind, name: text.name };
    case "enrolment":
      return { kind: text.kind, enrolmentId: text.enrolmentId };
    case "channel":
      return { kind: text.kind, name: text.name };
    default:
      return assertNever(text);
  }
}
