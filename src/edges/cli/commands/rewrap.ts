/** `lockstep rewrap`: everything sealed moves to the present root key, in the newest version that its ring has. */
import { assertNever } from "../../../lib/assert-never.ts";
import type { UnreadableSealed } from "../../../protocol/api-store.ts";
import type { CommandFunction } from "../cli.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const answer = await api.call("rewrap");
  cli.output.answer(answer, () => {
    const { versions, credentials, agentKeys, ring } = answer;
    cli.output.line(
      `Encrypted again: ${versions} values, ${credentials} credentials and ${agentKeys} keys for agents, under the key ring ${ring}.`,
    );
    if (answer.elsewhere > 0) {
      cli.output.line(
        `Kept in Vault, which encrypts them itself: ${answer.elsewhere} ${answer.elsewhere === 1 ? "value" : "values"}, not changed.`,
      );
    }
    for (const text of answer.unreadable) {
      cli.output.line(`Could not be decrypted, not changed: ${nameOf(text)}`);
    }
    cli.output.line(
      answer.left === 0
        ? "Nothing is left under another root key or an older version: the previous one is no longer needed."
        : `Still under another root key or an older version: ${answer.left} texts. Keep the previous key, and repeat this command after they are set again.`,
    );
  });
  return answer.left === 0 && answer.unreadable.length === 0 ? 0 : 1;
};

function nameOf({ kind, secretId, version, targetId, name, enrolmentId }: UnreadableSealed): string {
  switch (kind) {
    case "version":
      return `v${version} of secret ${secretId}`;
    case "credentials":
      return `the credential of target ${targetId}`;
    case "store-key":
      return `the key "${name}" that agents pin`;
    case "channel":
      return `the credential of the alert channel "${name}": give it again with \`lockstep apply\``;
    case "enrolment":
      return `the enrolment code ${enrolmentId}, which can no longer be used`;
    default:
      return assertNever(kind);
  }
}
