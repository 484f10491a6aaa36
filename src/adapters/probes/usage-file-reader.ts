/** Reads the use counts that a service leaves in a file (`writeUsageFile` of `lockstep/verify`) on the same machine. */
import { LockstepError } from "../../core/errors.ts";
import type { Host } from "../../core/ports/host.ts";
import type { UsageReader } from "../../core/ports/usage-reader.ts";
import { usageSchema } from "../../protocol/usage.ts";
import { NoAnswer } from "../outgoing/reasons.ts";
import { cannotTellUsage, MAX_REPORT_BYTES, parseUsageReport, recognised, together } from "./usage-report.ts";

/** Nobody asked for it with a fresh nonce, so that only its age tells that it speaks of now. */
const MAX_AGE_MS = 60_000;

export interface UsageFileReaderOptions {
  readonly host: Pick<Host, "read">;
  /** Of the machine that the file is on. */
  readonly nowMs: () => number;
  /** What was written before the process started is another process's word. Null: it is not known. */
  readonly startedAtMs: number | null;
}

export function createUsageFileReader({ host, nowMs, startedAtMs }: UsageFileReaderOptions): UsageReader {
  return {
    async readUsage(raw, { versions }, signal) {
      const parsed = usageSchema.safeParse(raw);
      if (!parsed.success) throw new LockstepError("CONFIG_INVALID", "`usage` is not valid");
      const { file } = parsed.data;
      if (file === undefined) return cannotTellUsage("its counts are in no file");
      try {
        const found = await host.read(file, signal);
        if (found.state === "absent") return cannotTellUsage("there is no file with its counts");
        if (found.content.length > MAX_REPORT_BYTES)
          return cannotTellUsage("its counts are longer than any report is");
        const report = parseUsageReport(Buffer.from(found.content).toString("utf8"));
        const ageMs = nowMs() - Date.parse(report.at);
        if (Math.abs(ageMs) > MAX_AGE_MS)
          return cannotTellUsage(`its counts were not written within the last ${MAX_AGE_MS / 1_000} s`);
        if (startedAtMs !== null && Date.parse(report.at) < startedAtMs)
          return cannotTellUsage("its counts are from before its process was started");
        return together([recognised(report, versions)]);
      } catch (error) {
        if (signal.aborted) return cannotTellUsage("given up");
        if (error instanceof NoAnswer) return cannotTellUsage(error.message);
        const code = error instanceof LockstepError ? ` (${error.code})` : "";
        return cannotTellUsage(`the file with its counts cannot be read${code}`);
      }
    },
  };
}
