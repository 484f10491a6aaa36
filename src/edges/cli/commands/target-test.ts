/** `lockstep target test NAME`: credential, address and rights, without changing anything there. */
import type { TestedTarget } from "../../../protocol/api-store.ts";
import type { CommandFunction } from "../cli.ts";
import { resolveTarget } from "../target-name.ts";

export const run: CommandFunction<[name: string], { readonly environment?: string }> = async (
  cli,
  [name],
  options,
) => {
  const api = await cli.api();
  const answer = await api.call("testTarget", {
    params: await resolveTarget(api, name, options.environment),
  });
  cli.output.answer(answer, () => {
    cli.output.table<TestedTarget["checks"][number]>(
      [
        { header: "check", cell: (check) => check.name },
        {
          header: "",
          cell: (check) => (check.ok ? "ok" : "failed"),
          tone: (check) => (check.ok ? "good" : "bad"),
        },
        { header: "says", cell: (check) => check.message },
      ],
      answer.checks,
    );
    const { maxEvidence, readable, deletable, conditionalWrite } = answer.capabilities;
    const abilities = [
      `evidence up to ${maxEvidence}`,
      readable ? "readable" : "not readable",
      deletable ? "deletable" : "not deletable",
      conditionalWrite ? "refuses older writes" : "unfenced: older writes are detected and corrected",
    ];
    cli.output.line(`${answer.target} (${answer.kind}): ${abilities.join(", ")}`);
  });
  return answer.ok ? 0 : 1;
};
