/** The log: one JSON object per line to standard error, through the scrubber, whatever a caller passed. */
import { type DestinationStream, pino } from "pino";
import type { Logger } from "../../core/ports/logger.ts";
import type { Scrubber } from "./scrubber.ts";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly scrubber: Scrubber;
  /** Standard error unless told. */
  readonly write?: (line: string) => void;
}

export function createLogger({ level, scrubber, write = toStandardError }: LoggerOptions): Logger {
  const destination: DestinationStream = { write: (line) => write(scrubber.scrub(line)) };
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "event" },
    destination,
  );
  return {
    debug: (event, fields) => log.debug(fields ?? {}, event),
    info: (event, fields) => log.info(fields ?? {}, event),
    warn: (event, fields) => log.warn(fields ?? {}, event),
    error: (event, fields) => log.error(fields ?? {}, event),
  };
}

function toStandardError(line: string): void {
  process.stderr.write(line);
}
