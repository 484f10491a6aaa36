/** The supervisor as the agent's unit knows it: each start has a number of its own, whatever changed for it. */
import { LockstepError } from "../../../core/errors.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import type { ChildRunner, RunnerState } from "../apply/child-unit.ts";
import { type ChildReport, type RunChildOptions, runChild, type SupervisedChild } from "./run-child.ts";

export class SupervisedRunner implements ChildRunner {
  readonly #options: Pick<RunChildOptions, "argv" | "baseEnvironment">;
  readonly #heard = new Set<(report: ChildReport) => void>();
  readonly #ended: (code: number) => void;
  #child: SupervisedChild | null = null;
  #starts = 0;
  #last: ChildReport | null = null;

  /** `ended` is told the exit code, once all is over. */
  constructor(options: Pick<RunChildOptions, "argv" | "baseEnvironment">, ended: (code: number) => void) {
    this.#options = options;
    this.#ended = ended;
  }

  get isStarted(): boolean {
    return this.#child !== null;
  }

  restart(environment: ReadonlyMap<string, SecretValue>): Promise<string> {
    this.#starts += 1;
    const digest = String(this.#starts);
    const values = { digest, variables: environment };
    return new Promise((resolve, reject) => {
      const hear = (report: ChildReport): void => {
        if (report.digest !== digest && report.state !== "stopped") return;
        this.#heard.delete(hear);
        if (report.state === "started" || report.state === "running") resolve(digest);
        else
          reject(
            new LockstepError(
              "ACTIVATION_FAILED",
              `The program did not start: ${report.reason ?? "it ended"}.`,
            ),
          );
      };
      this.#heard.add(hear);
      if (this.#child === null) this.#begin(values);
      else this.#child.change(values);
    });
  }

  state(): RunnerState {
    const { digest = "", state = "stopped", incarnation = null, reason = null } = this.#last ?? {};
    const words = reason ?? "it ended";
    switch (state) {
      case "started":
        return { id: digest, state: "starting", incarnation, reason: words };
      case "running":
      case "kept":
        return { id: digest, state: "running", incarnation, reason: words };
      case "failed":
        return { id: digest, state: "failed", incarnation, reason: words };
      case "stopped":
        return { id: digest, state: "none", incarnation, reason: words };
    }
  }

  #begin(values: RunChildOptions["values"]): void {
    this.#child = runChild({
      ...this.#options,
      values,
      onReport: (report) => {
        this.#last = report;
        for (const hear of [...this.#heard]) hear(report);
      },
    });
    void this.#child.ended.then(this.#ended);
  }
}
