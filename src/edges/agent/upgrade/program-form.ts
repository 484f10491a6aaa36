/** How the agent's program came to its machine. */
import type { ProgramPlatform } from "../../../protocol/agent/program.ts";

/** `package`: with the whole of Lockstep, by whatever installed that. Otherwise one file that a server gave. */
export type ProgramForm = { readonly kind: "package" } | ProgramInOneFile;

export interface ProgramInOneFile {
  readonly kind: "file";
  /** Absolute. */
  readonly path: string;
  readonly runsOn: ProgramPlatform;
}
