/** Where values and credentials would go that did not go there before, and by which reference: for a person to judge. */
import type { Operations } from "../../../protocol/api.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import { idOf } from "../config-file/fill-in.ts";
import type { ReadConfig } from "../config-file/read-config.ts";
import type { Output } from "../output.ts";

type Destination = AnswerOf<Operations["plan"]>["destinations"][number];

export function showDestinations(
  output: Output,
  destinations: readonly Destination[],
  source: Pick<ReadConfig, "credentials" | "locate">,
): void {
  if (destinations.length === 0) return;
  output.line();
  output.line("New destinations, which will receive values or credentials:");
  for (const destination of destinations) {
    const { file, line } = source.locate(destination.path);
    output.line(
      `  ${file}:${line} ${whose(destination)}: ${addressText(destination)}${credentialText(destination, source)}`,
    );
  }
}

function whose({ subject, environment, name, change }: Destination): string {
  const owner = subject === "channel" ? `alert channel ${name}` : `${environment}/${name}`;
  const words = {
    target: `target ${owner}`,
    channel: owner,
    probe: `probe of ${owner}`,
    usage: `use counts of ${owner}`,
    issuer: `issuer of ${owner}`,
  };
  return `${words[subject]} (${change})`;
}

function addressText({ subject, address }: Destination): string {
  if (address === null) return "where the credential itself says";
  return subject === "probe" ? `sends the value to ${address}` : address;
}

/** Names what is referred to, never what it holds. */
function credentialText({ path }: Destination, { credentials }: Pick<ReadConfig, "credentials">): string {
  const given = credentials
    .filter(({ holder }) => idOf(holder) === idOf(path))
    .map(({ reference }) => reference.text);
  return given.length === 0 ? "" : `, with ${given.join(" and ")}`;
}
