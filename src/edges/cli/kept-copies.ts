/** Says which hosts still hold a copy that was kept for restoring. */
import type { KeptCopyAnswer } from "../../protocol/api-secrets.ts";
import type { Cli } from "./cli.ts";

export function sayCopies(cli: Cli, copies: readonly KeptCopyAnswer[]): void {
  for (const { target, file } of copies) {
    cli.output.line(
      `A copy of ${file} from before the last change is still kept at "${target}". It is removed as soon as that host answers.`,
    );
  }
}
