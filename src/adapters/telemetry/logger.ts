/**
 * The log: one JSON object per line to standard error. Fields pass `loggable`, lines pass the scrubber, and control or
 * bidirectional characters are escaped, because an operator reads the log in a terminal.
 */
import { type DestinationStream, pino } from "pino";
import type { Logger } from "../../core/ports/logger.ts";
import { visibleJson } from "../../lib/visible-text.ts";
import { loggable } from "./loggable.ts";
import type { Scrubber } from "./scrubber.ts";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly scrubber: Scrubber;
  /** Standard error unless told. */
  readonly write?: (line: string) => void;
}

export function createLogger({ level, scrubber, write = standardError() }: LoggerOptions): Logger {
  // After scrubbing: an escaped value would not be found any more.
  const destination: DestinationStream = { write: (line) => write(visibleJson(scrubber.scrub(line))) };
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "event",
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    debug: (event, fields = {}) => log.debug(loggable(fields), event),
    info: (event, fields = {}) => log.info(loggable(fields), event),
    warn: (event, fields = {}) => log.warn(loggable(fields), event),
    error: (event, fields = {}) => log.error(loggable(fields), event),
  };
}

function standardError(): (line: string) => void {
  // Whoever read the log went away: that must not end the process.
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => undefined);
  return (line) => void process.stderr.write(line);
}
