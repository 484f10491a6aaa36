/** Every request, and what a careful client does not do. Names and paths only; bodies come out of one call whose name says so. */
import { decodedPath, type RawRequest } from "./wire/request.ts";

export type OffenceKind =
  /** `X-Vault-Request: true` is missing. */
  | "no-request-header"
  | "no-token"
  /** Unknown, or dead. */
  | "wrong-token"
  | "token-at-login"
  /** Encoded otherwise than segment by segment, or with segments that a server cleans away. */
  | "odd-path"
  /** A write or patch of KV v2 data without `options.cas`. */
  | "write-without-cas"
  | "redirect-followed"
  | "token-at-redirect-target";

export interface Offence {
  readonly kind: OffenceKind;
  readonly seq: number;
  readonly method: string;
  readonly path: string;
}

export interface RecordedCall {
  /** From 1, in the order of arrival. */
  readonly seq: number;
  readonly method: string;
  /** Decoded, without `/v1/`. */
  readonly path: string;
  /** As on the wire. */
  readonly url: string;
  readonly namespace: string | null;
  /** `living`: known at that moment. */
  readonly token: "none" | "living" | "wrong";
  readonly fault: string | null;
  /** Null: not answered (yet). */
  readonly status: number | null;
  readonly executed: boolean;
}

type Open = { -readonly [Key in keyof RecordedCall]: RecordedCall[Key] };

export class CallRecord {
  readonly #calls: Open[] = [];
  readonly #bodies = new Map<number, Buffer>();
  readonly #watching = new Set<() => void>();
  offences: Offence[] = [];
  #seq = 0;

  begin(raw: RawRequest, token: RecordedCall["token"]): Open {
    this.#seq += 1;
    const namespace = raw.headers["x-vault-namespace"];
    const call: Open = {
      seq: this.#seq,
      method: raw.method,
      path: (decodedPath(raw.url) ?? raw.url).replace(/^\/v1\//, ""),
      url: raw.url,
      namespace: typeof namespace === "string" ? namespace : null,
      token,
      fault: null,
      status: null,
      executed: false,
    };
    this.#calls.push(call);
    this.#bodies.set(call.seq, raw.body);
    return call;
  }

  offence(kind: OffenceKind, { seq, method, path }: RecordedCall): void {
    this.offences.push({ kind, seq, method, path });
  }

  /** To be called after a call was answered, or will not be. */
  changed(): void {
    for (const look of [...this.#watching]) look();
  }

  /** `path`: exact, or a prefix with `*` at its end. */
  list(filter: { readonly method?: string; readonly path?: string } = {}): readonly RecordedCall[] {
    const { method, path } = filter;
    return this.#calls
      .filter((call) => method === undefined || call.method === method)
      .filter((call) => {
        if (path === undefined) return true;
        return path.endsWith("*") ? call.path.startsWith(path.slice(0, -1)) : call.path === path;
      })
      .map((call) => ({ ...call }));
  }

  /** Resolves once so many such calls have been answered. */
  answered(count: number, filter: { readonly method?: string; readonly path?: string } = {}): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.list(filter).filter(({ status }) => status !== null).length < count) return;
        this.#watching.delete(look);
        resolve();
      };
      this.#watching.add(look);
      look();
    });
  }

  /** The body as sent. Danger: values. */
  unsafeBody(seq: number): string {
    return this.#bodies.get(seq)?.toString("utf8") ?? "";
  }

  clear(): void {
    this.#calls.length = 0;
    this.#bodies.clear();
    this.offences = [];
  }
}

/** As a client that encodes each segment sends it; a LIST may end in a slash. */
export function isOddPath({ method, url }: RawRequest): boolean {
  const [path = "", query = ""] = url.split("?", 2);
  const isList = method === "LIST" || /(?:^|&)list=true/.test(query);
  const segments = path.slice(1).split("/");
  if (isList && segments.at(-1) === "") segments.pop();
  return segments.some(
    (segment) =>
      !/^(?:[A-Za-z0-9\-_.~!'()*]|%[0-9A-Fa-f]{2})+$/.test(segment) ||
      /%(?:2F|2E)/i.test(segment) ||
      segment === "." ||
      segment === "..",
  );
}
