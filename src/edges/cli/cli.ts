/** What every command is given, and how a command is attached without loading it: `--version` must not wait for all. */
import type { Command } from "commander";
import type { RootKeyCopies } from "../../core/ports/root-key-copies.ts";
import type {
  AgentStatus,
  EnrolledAgent,
  InstalledService,
  UpgradedProgram,
} from "../../protocol/agent/on-host.ts";
import type { AgentFlags } from "../../settings/agent-program.ts";
import type { CliSurroundings, SettingFlags, Settings } from "../../settings/settings.ts";
import type { ApiClient } from "./client.ts";
import type { Output } from "./output.ts";

export type Role = "up" | "server" | "worker" | "migrate";

export interface StartedProcess {
  /** Null for roles without an API. */
  readonly url: string | null;
  readonly dataDirectory: string;
  readonly adminTokenFile: string | null;
  /** What agents dial; null: they are not served. */
  readonly agentUrl: string | null;
  close(): Promise<void>;
}

export type StartProcess = (role: Role, settings: Settings) => Promise<StartedProcess>;

/** What a demo writes to, and may do there. */
export interface DemoTerminal {
  write(text: string): void;
  readonly colours: boolean;
  /** May be redrawn. */
  readonly live: boolean;
  readonly columns: number;
}

export interface DemoRequest {
  readonly terminal: DemoTerminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For people who read along. */
  readonly pauses: boolean;
  readonly keep: boolean;
  readonly sshServer: "auto" | "stand-in";
  readonly signal: AbortSignal;
}

/** The agent's program on this machine. */
export interface AgentOnHost {
  enroll(code: string, signal: AbortSignal, options?: { readonly replace?: boolean }): Promise<EnrolledAgent>;
  /** Throws ALREADY_EXISTS. */
  writePolicy(text: string): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
  /** Answers the program's exit code. */
  runChild(argv: readonly [string, ...string[]], interrupted: AbortSignal): Promise<number>;
  status(signal: AbortSignal): Promise<AgentStatus>;
  policy(): Promise<{ readonly path: string; readonly text: string }>;
  /** Puts a program that came as one file where it stays. Throws FILE_UNSAFE, TARGET_PERMISSION. */
  keep(request: { readonly node: string | null; readonly say: (line: string) => void }): Promise<void>;
  install(request: {
    readonly printOnly: boolean;
    readonly system: boolean;
    readonly node: string | null;
    readonly say: (line: string) => void;
  }): Promise<InstalledService>;
  /** Throws UNSUPPORTED, PROGRAM_REFUSED, UPGRADE_UNDONE. */
  upgrade(
    request: { readonly allowOlder: boolean; readonly say: (line: string) => void },
    signal: AbortSignal,
  ): Promise<UpgradedProgram>;
  uninstall(request: {
    readonly system: boolean;
    /** Identity, cache, policy and program too. */
    readonly purge: boolean;
    readonly say: (line: string) => void;
  }): Promise<void>;
}

export type OpenAgent = (flags: AgentFlags) => Promise<AgentOnHost>;

export type OpenRootKeyCopies = () => Promise<RootKeyCopies>;

export type RunDemo = (request: DemoRequest) => Promise<{ readonly ok: boolean }>;

export interface Cli {
  readonly output: Output;
  readonly stdin: NodeJS.ReadStream;
  readonly surroundings: CliSurroundings;
  /** Finds the server and its token on first use. Throws SERVER_UNREACHABLE, UNAUTHENTICATED. */
  api(): Promise<ApiClient>;
  /** Of a process that serves or works. Throws SETTING_INVALID. */
  settings(flags: SettingFlags): Settings;
  readonly start: StartProcess;
  readonly demo: RunDemo;
  readonly agent: OpenAgent;
  readonly rootKeyCopies: OpenRootKeyCopies;
  /** Aborts at Ctrl-C or when the process is asked to end. */
  readonly interrupted: AbortSignal;
  /** From now on a second signal is a program's that runs in the foreground, and does not end this process. */
  handOverSignals(): void;
}

/** Answers the exit code; nothing means 0. */
export type CommandFunction<Arguments extends readonly unknown[], Options> = (
  cli: Cli,
  parameters: Arguments,
  options: Options,
) => Promise<number | undefined>;

export type Attach = <Arguments extends readonly unknown[], Options>(
  command: Command,
  load: () => Promise<{ readonly run: CommandFunction<Arguments, Options> }>,
) => void;
