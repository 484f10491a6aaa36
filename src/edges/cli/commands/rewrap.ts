/** `lockstep rewrap`: everything sealed moves to the present root key. */
import type { CommandFunction } from "../cli.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const answer = await api.call("rewrap");
  cli.output.answer(answer, () => {
    cli.output.line(`Rewrapped ${answer.versions} values and ${answer.credentials} credentials.`);
    for (const { kind, secretId, version, targetId } of answer.unreadable) {
      const what =
        kind === "version" ? `v${version} of secret ${secretId}` : `the credential of target ${targetId}`;
      cli.output.line(`Cannot be opened, left as it is: ${what}`);
    }
    if (answer.unreadable.length === 0) cli.output.line("The previous root key is not needed any more.");
  });
  return answer.unreadable.length === 0 ? 0 : 1;
};
