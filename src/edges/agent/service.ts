/** The agent as a service of this machine: what `agent install` and `agent uninstall` do with what is known here. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { userInfo } from "node:os";
import { LockstepError } from "../../core/errors.ts";
import { childEnvironment } from "../../lib/child-environment.ts";
import type { InstalledService } from "../../protocol/agent/on-host.ts";
import { openAgentFiles } from "./identity/agent-files.ts";
import { requireIdentity } from "./identity/identity.ts";
import {
  installAgent,
  planService,
  restartService,
  servicePaths,
  uninstallAgent,
} from "./install/install-agent.ts";
import { type InstalledProgram, installedProgram } from "./install/installed-program.ts";
import { purgeAgent } from "./install/purge.ts";
import type { ServiceOptions } from "./install/service.ts";
import { startWords } from "./install/start-words.ts";
import { currentUid } from "./open-agent.ts";
import type { PolicyPlace } from "./policy/check-policy.ts";
import { loadPolicy } from "./policy/load-policy.ts";
import type { AgentProgramOptions } from "./program-options.ts";
import { keepProgram } from "./upgrade/keep-program.ts";
import { placeFor, placeOf } from "./upgrade/program-place.ts";

export interface ServiceRequest {
  /** Instead of doing it. */
  readonly printOnly: boolean;
  /** Starts with the machine, whoever is logged in. Default: as root. */
  readonly system: boolean;
  /** The Node that the service starts, by a path that stays. Null: the one that runs this. */
  readonly node: string | null;
  readonly say: (line: string) => void;
}

export function service({ settings, self, form }: AgentProgramOptions, place: PolicyPlace) {
  const { stateDirectory, homeDirectory } = settings;
  const uid = currentUid();
  /** What starts the program where it stays; null: it was not put there in this run. */
  let kept: readonly [string, ...string[]] | null = null;

  async function optionsOf(system: boolean, node: string | null): Promise<ServiceOptions> {
    const { program, remarks } = await startWords(kept ?? self, node, homeDirectory);
    const words = ["agent", "run", "--state", stateDirectory, "--policy", place.policyPath];
    return {
      scope: system ? "system" : "user",
      program: [...program, ...words],
      remarks,
      home: homeDirectory,
      user: system && uid !== 0 ? userInfo().username : null,
      stateDirectory,
      policy: (await loadPolicy(place.policyPath, uid)).policy,
    };
  }

  const contextOf = (say: (line: string) => void) => ({
    platform: platformOf(),
    uid,
    say,
    run: (argv: readonly string[]) => runToEnd(argv, childEnvironment(settings.env, { HOME: homeDirectory })),
  });

  return {
    /**
     * A program that came as one file is put where it stays; nothing to do for one that was installed. Throws
     * FILE_UNSAFE, TARGET_PERMISSION.
     */
    async keep({ node, say }: Pick<ServiceRequest, "node" | "say">): Promise<void> {
      if (form?.kind !== "file") return;
      const words = (await startWords(self, node, homeDirectory)).program;
      kept = await keepProgram({
        form,
        place: placeFor(form, { uid, home: homeDirectory, chosen: settings.programDirectory ?? null }),
        interpreter: form.runsOn === "node" ? words.slice(0, -1) : [],
        uid,
        searchPath: settings.env["PATH"] ?? "",
        say,
      });
    },

    /** Throws AGENT_NOT_ENROLLED, ALREADY_EXISTS, INPUT_INVALID, TARGET_PERMISSION, ACTIVATION_FAILED, UNSUPPORTED. */
    async install({ printOnly, system, node, say }: ServiceRequest): Promise<InstalledService> {
      const options = await optionsOf(system, node);
      const context = contextOf(say);
      if (printOnly) return planService(options, context);
      // A service without an identity would start for ever and end at once.
      await requireIdentity(await openAgentFiles(stateDirectory, { create: false }));
      return installAgent(options, context);
    },

    /** The service of ours that starts this file; null: none does. */
    async serviceOf(file: string, say: (line: string) => void): Promise<{ restart(): Promise<void> } | null> {
      if (process.platform !== "linux" && process.platform !== "darwin") return null;
      const [user, system] = await Promise.all(
        servicePaths(homeDirectory, process.platform).map(installedProgram),
      );
      const starts = (one: InstalledProgram | null | undefined) => one?.files.includes(file) === true;
      if (!starts(user) && !starts(system)) return null;
      const scope = starts(system) ? "system" : "user";
      return { restart: () => restartService({ scope }, contextOf(say)) };
    },

    /** `purge`: identity, cache, policy and program go too. Throws AGENT_RUNNING with it. */
    async uninstall({
      system,
      purge,
      say,
    }: Pick<ServiceRequest, "system" | "say"> & { readonly purge: boolean }): Promise<void> {
      await uninstallAgent(await optionsOf(system, null), contextOf(say));
      if (!purge) return;
      await purgeAgent({
        stateDirectory,
        policyFile: place.policyPath,
        place: form?.kind === "file" ? placeOf(form, { uid, home: homeDirectory }) : null,
        home: homeDirectory,
        say,
      });
    },
  };
}

function platformOf(): "linux" | "darwin" {
  if (process.platform === "linux" || process.platform === "darwin") return process.platform;
  throw new LockstepError("UNSUPPORTED", `Cannot install a service on ${process.platform}.`, {
    hint: "Start `lockstep agent run` by whatever supervises programs there.",
  });
}

async function runToEnd(
  [program = "", ...parameters]: readonly string[],
  env: Record<string, string>,
): Promise<{ readonly exitCode: number | null }> {
  const child = spawn(program, parameters, { env, stdio: ["ignore", "ignore", "inherit"] });
  try {
    const [exitCode] = (await once(child, "exit")) as [number | null];
    return { exitCode };
  } catch {
    return { exitCode: null };
  }
}
