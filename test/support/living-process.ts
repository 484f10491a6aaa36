/** A process of the test's own that lives with exactly the environment that it is given. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface LivingProcess {
  readonly pid: number;
  /** Resolves when it has ended and nothing of it is left. */
  end(): Promise<void>;
}

/** Values may hold any bytes but NUL: `sh` sets those that Node cannot. */
export async function startLivingProcess(
  environment: Readonly<Record<string, string>>,
  program: readonly [string, ...string[]] = ["/bin/sleep", "600"],
): Promise<LivingProcess> {
  const [command, ...parameters] = program;
  const child = spawn(command, parameters, { env: { ...environment }, stdio: "ignore" });
  await once(child, "spawn");
  return { pid: child.pid ?? fail(), end: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

function fail(): never {
  throw new Error("the process has no number");
}
