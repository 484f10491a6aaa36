/** `lockstep step reveal TARGET KEY`: the value that must stand there, on stdout and nothing else there; once, on record. */
import type { CommandFunction } from "../cli.ts";
import { resolveTarget } from "../target-name.ts";

export const run: CommandFunction<[target: string, key: string], { readonly environment?: string }> = async (
  cli,
  [name, key],
  options,
) => {
  const api = await cli.api();
  const { environment, name: target } = await resolveTarget(api, name, options.environment);
  const { generation } = await api.call("readStep", { params: { environment, target } });
  const answer = await api.call("revealStep", { params: { environment, target }, body: { generation, key } });
  if (cli.output.json) {
    cli.output.answer({ environment, target, ...answer }, () => undefined);
    return 0;
  }
  cli.output.note(`note: ${key} for ${target}; this was recorded, and the value is not shown again.`);
  cli.output.raw(answer.value);
  return 0;
};
