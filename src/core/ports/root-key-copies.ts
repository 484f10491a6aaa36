import type { SecretValue } from "../secret-value.ts";

/** Copies of the root key, made and read where a person keeps them; the server is never given one. */
export interface RootKeyCopies {
  /** Throws ROOT_KEY_MISSING, ROOT_KEY_WRONG. */
  read(rootKeyFile: string): Promise<SecretValue>;
  /** For its owner alone, on disk when it returns. Throws ALREADY_EXISTS and overwrites nothing. */
  write(path: string, copy: SecretValue): Promise<void>;
  /** The public name of the key in a copy. Throws RECOVERY_COPY_WRONG for what is no key. */
  keyId(copy: SecretValue): string;
}
