/** What is said of a host's restart when a configuration is planned. Pure. */
import type { TargetRemark } from "../../../core/ports/target-remark.ts";
import type { PlacedFile } from "../placement.ts";
import { canBeEnvironment } from "../running/environment.ts";
import { type Activation, type Health, provenBy, whyNotRestarted } from "./config.ts";

export function remarksOn(
  activate: Activation,
  health: Health | null,
  files: readonly PlacedFile[],
): readonly TargetRemark[] {
  const { command, systemd } = activate;
  const kept = whyNotRestarted(activate, files);
  if (kept !== null) {
    const readsItself =
      kept.concerns === "environment"
        ? "; where the program reads the file itself, say `asEnvironment: false` at the file"
        : "";
    return [
      {
        path: ["activate", "command"],
        code: "RESTART_KEEPS_OLD",
        message: `would leave the service with the old value: of \`${kept.what}\` it is known that ${kept.why}`,
        remedy: `Use ${kept.instead}${readsItself}; \`rereads: attested\` beside the command says that it does make the program read the new value.`,
      },
    ];
  }
  if (provenBy(activate, health, files) === "deployed") return [];
  if (command !== undefined)
    return [
      {
        path: ["activate", "command"],
        message: "proves no use: that it ends well shows nothing of the service",
        remedy: `Add \`process: { pidFile: … }\` or a \`health:\` check${
          files.some(({ format }) => canBeEnvironment(format)) ? "" : ", or a `probe:` at the binding"
        }; until then a rotation in two steps needs \`evidence: attested\` at the binding.`,
      },
    ];
  if (systemd !== undefined)
    return [
      {
        path: ["activate", "systemd"],
        message: "is no service: restarting it proves nothing of the process that uses the value",
        remedy: "Name the service itself, or say `evidence: attested` at the binding.",
      },
    ];
  return [];
}
