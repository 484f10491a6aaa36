/**
 * Real programs as replicas: each service's command, started with exactly the variables that the platform gives it
 * and nothing of ours. Standard error passes through; standard output is read for the line that says "ready".
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { ProcessStarter, ReplicaProcess, ReplicaStart } from "./processes.ts";

export interface ReplicaCommand {
  /** An absolute path and arguments; "node" stands for the Node.js that runs the simulator. */
  readonly command: readonly string[];
  /** A line of standard output that contains this; without it the program is ready once it runs. */
  readonly readyWhenItPrints?: string | undefined;
}

const STOP_GRACE_MS = 5_000;

/** By service name; a service without a command runs nothing. */
export function replicaCommands(byService: Readonly<Record<string, ReplicaCommand>>): ProcessStarter {
  return (start) => {
    const command = Object.hasOwn(byService, start.service.name) ? byService[start.service.name] : undefined;
    return command === undefined ? undefined : run(command, start);
  };
}

function run({ command, readyWhenItPrints }: ReplicaCommand, { variables }: ReplicaStart): ReplicaProcess {
  const [program = "", ...parameters] = command;
  const child = spawn(program === "node" ? process.execPath : program, parameters, {
    env: { ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const exited = new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
    child.once("error", () => resolve(null));
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.once("error", () => reject(new Error("the command cannot be started")));
    if (readyWhenItPrints === undefined) child.once("spawn", resolve);
    else lines.on("line", (line) => line.includes(readyWhenItPrints) && resolve());
  });
  return {
    ready,
    exited,
    async stop() {
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
      await exited;
      clearTimeout(killer);
    },
  };
}
