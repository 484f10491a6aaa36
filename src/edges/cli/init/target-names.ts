/** Names of targets, made from what places call themselves; each once. */
import { targetName } from "../../../protocol/config.ts";
import { type Asker, checkedBy } from "./asker.ts";

export class TargetNames {
  readonly #taken = new Set<string>();

  /** A free name near `wanted`. Not taken yet. */
  near(wanted: string, otherwise: string): string {
    const base =
      wanted
        .normalize("NFKD")
        .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
        .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")
        .slice(0, 60)
        .replace(/[^A-Za-z0-9]+$/, "") || otherwise;
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? base : `${base}-${count}`;
      if (!this.#taken.has(name)) return name;
    }
  }

  take(name: string): string {
    this.#taken.add(name);
    return name;
  }

  async ask(
    asker: Asker,
    question: { readonly option: string; readonly text: string; readonly given?: string | undefined },
    fallback: string,
  ): Promise<string> {
    const check = checkedBy(targetName);
    const name = await asker.text({
      ...question,
      fallback,
      check: (text) => (this.#taken.has(text) ? "That name is already taken." : check(text)),
    });
    return this.take(name);
  }
}
