/**
 * `lockstep doctor`: what is wrong, why, who is refused because of it, and what repairs it. Exits with 0 when nothing is
 * wrong, with 3 when something is, with 4 when it cannot tell.
 */
import { type ErrorCode, isStoreAway, LockstepError } from "../../../core/errors.ts";
import type { DoctorAnswer } from "../../../protocol/api-doctor.ts";
import type { CommandFunction } from "../cli.ts";
import { showDiagnosis } from "../show/diagnosis.ts";

export interface DoctorOptions {
  readonly environment?: string;
  readonly live: boolean;
  /** In ms, for one place. */
  readonly timeout?: number;
}

const EXIT_WRONG = 3;
const EXIT_CANNOT_TELL = 4;

export const run: CommandFunction<[], DoctorOptions> = async (cli, _parameters, options) => {
  const { environment, live, timeout } = options;
  try {
    const api = await cli.api();
    const answer = await api.call("doctor", {
      body: {
        live,
        ...(environment === undefined ? {} : { environment }),
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      },
    });
    cli.output.answer(answer, () => showDiagnosis(cli.output, answer, new Date()));
    if (answer.findings.some(({ severity }) => severity === "wrong")) return EXIT_WRONG;
    return answer.ok ? 0 : EXIT_CANNOT_TELL;
  } catch (error) {
    const answer = ofLockstepItself(error, live);
    if (answer === null) throw error;
    cli.output.answer(answer, () => showDiagnosis(cli.output, answer, new Date()));
    return EXIT_CANNOT_TELL;
  }
};

const AWAY: Partial<Readonly<Record<ErrorCode, string>>> = {
  SERVER_UNREACHABLE: "server-away",
  STORE_SCHEMA: "store-newer",
};

/** Lockstep itself is away: that is a finding too, and not the services' trouble. Null: another failure. */
function ofLockstepItself(error: unknown, live: boolean): DoctorAnswer | null {
  if (!(error instanceof LockstepError)) return null;
  const away = isStoreAway(error) ? "store-away" : AWAY[error.code];
  if (away === undefined) return null;
  return {
    ok: false,
    checkedAt: new Date().toISOString(),
    live,
    verdict: `Cannot tell: ${error.message}`,
    secrets: [],
    findings: [
      {
        id: away,
        severity: "cannot-tell",
        secret: null,
        target: null,
        key: null,
        placement: null,
        environment: null,
        what: error.message,
        cause: `${error.hint} Meanwhile every place keeps the value that it has: Lockstep being away refuses nobody.`,
        consequence: [],
        command: away === "server-away" ? "lockstep up" : away === "store-newer" ? "lockstep migrate" : null,
      },
    ],
  };
}
