/**
 * A value that redacts itself wherever it is shown: string concatenation, JSON, `util.inspect`, template literals.
 * It is opened by `reveal()` alone, as late as possible. JavaScript strings cannot be wiped; nothing here pretends
 * to do so.
 */
import { inspect } from "node:util";

const REDACTED = "[secret]";

export class SecretValue {
  readonly #value: string;

  private constructor(value: string) {
    this.#value = value;
  }

  static of(value: string): SecretValue {
    return new SecretValue(value);
  }

  /** The value itself. Danger: whoever calls this answers for where it goes. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
