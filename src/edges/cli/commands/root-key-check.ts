/**
 * `lockstep root-key check [FILE]`: whether a recovery copy opens this store, on record. The copy is read here; the
 * server is told the public name of the key in it.
 */

import { SecretValue } from "../../../core/secret-value.ts";
import type { CommandFunction } from "../cli.ts";
import { promptHidden } from "../prompt.ts";
import { readCopy } from "../value-input.ts";

export const run: CommandFunction<[file: string | undefined], unknown> = async (cli, [file]) => {
  const copy =
    file === undefined && cli.stdin.isTTY
      ? SecretValue.of(await promptHidden(cli, "The copy (not shown): "))
      : await readCopy(cli, file);
  const keyId = (await cli.rootKeyCopies()).keyId(copy);
  const api = await cli.api();
  const answer = await api.call("recordRecoveryCopy", { body: { keyId } });
  cli.output.answer(answer, () =>
    cli.output.line(`This copy decrypts the store (key ${keyId}); the check was recorded.`),
  );
  return 0;
};
