/**
 * `lockstep discover`: places that hold a value of ours and are in nobody's configuration. Exits with 0 when there are
 * none, with 3 when there are, with 4 when a part could not be seen and nothing was found in the rest.
 */
import { stringify } from "yaml";
import type { DiscoverAnswer, DiscoveredPlace } from "../../../protocol/api-doctor.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

const EXIT_FOUND = 3;
const EXIT_CANNOT_TELL = 4;

export const run: CommandFunction<[], { readonly environment?: string }> = async (
  cli,
  _parameters,
  { environment },
) => {
  const api = await cli.api();
  const answer = await api.call("discover", { body: environment === undefined ? {} : { environment } });
  cli.output.answer(answer, () => show(cli, answer));
  if (answer.places.length > 0) return EXIT_FOUND;
  return answer.unseen.length > 0 ? EXIT_CANNOT_TELL : 0;
};

function show({ output }: Cli, { places, looked, unseen }: DiscoverAnswer): void {
  if (places.length === 0) {
    output.line(
      `Nothing forgotten within reach of ${looked.length === 0 ? "any target" : looked.join(", ")}.`,
    );
  } else {
    output.line(`${places.length === 1 ? "1 place is" : `${places.length} places are`} not managed:`);
    output.line();
    showTable<DiscoveredPlace>(
      output,
      [
        { header: "secret", cell: ({ secret }) => secret ?? "" },
        { header: "where", cell: ({ name }) => name },
        { header: "key", cell: ({ key }) => key },
        { header: "holds", cell: holds, tone: ({ holds: state }) => (state === "older" ? "bad" : "warn") },
        { header: "reached by", cell: ({ reachedBy }) => reachedBy },
      ],
      places,
    );
    output.line();
    output.line("To manage one, add to lockstep.yaml and `lockstep apply`; roles are yours to choose:");
    for (const place of places) output.line(`\n${addition(place).trimEnd()}`);
  }
  for (const { name, reason } of unseen) output.note(`cannot tell: ${name}: ${reason}`);
}

function holds({ holds: state, version, reason }: DiscoveredPlace): string {
  switch (state) {
    case "current":
      return `v${version}, the current one`;
    case "older":
      return `v${version}, an older one`;
    case "unknown":
      return "another value";
    case "unreadable":
      return `cannot be read: ${reason ?? ""}`;
  }
}

/** Lines to copy: a binding, and what its target needs. */
function addition({ secret, name, key, reachedBy, add }: DiscoveredPlace): string {
  const { config, file } = add;
  const target = config === null ? reachedBy : targetName(name);
  const binding = { target, role: "both", ...(file === null ? {} : { file: file.path }), key };
  const targets =
    config !== null
      ? { targets: { [target]: config } }
      : file !== null && !file.configured
        ? { targets: { [target]: { files: [{ path: file.path, format: file.format }] } } }
        : {};
  return stringify({ secrets: { [secret ?? key]: { bindings: [binding] } }, ...targets }, { lineWidth: 0 });
}

/** From "service worker". */
function targetName(name: string): string {
  const plain = name.replace(/^(?:the|service) /, "").replaceAll(/[^A-Za-z0-9-]+/g, "-");
  return /^[A-Za-z]/.test(plain) ? plain.toLowerCase() : `place-${plain.toLowerCase()}`;
}
