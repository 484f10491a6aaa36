/**
 * Which life of the agent's program has reported: written once the server has taken its first report. By that an upgrade
 * knows whether the new program works. A file of its own: an older program refuses a record that it does not know whole.
 */
import { z } from "zod";
import { lifeAsText, lifeOfProcess, livingProcessIn } from "../../../lib/process-life.ts";
import type { AgentContext } from "../context.ts";
import type { AgentFiles } from "../identity/agent-files.ts";
import { lockHolder } from "../identity/lock.ts";

const REPORTING_FILE = "reporting.json";
const schema = z.object({ v: z.literal(1), life: z.string(), release: z.string() });

export async function noteReporting({ files, facts }: Pick<AgentContext, "facts" | "files">): Promise<void> {
  const life = await lifeOfProcess(process.pid);
  if (life === null) return;
  const note: z.input<typeof schema> = { v: 1, life: lifeAsText(life), release: facts.version };
  await files.write(REPORTING_FILE, JSON.stringify(note));
}

/** Of the program that runs now; null: none runs, or it has not reported yet. */
export async function reportingNow(
  files: AgentFiles,
  stateDirectory: string,
): Promise<{ readonly life: string; readonly release: string } | null> {
  const text = await files.read(REPORTING_FILE);
  try {
    const { life, release } = schema.parse(JSON.parse(text ?? ""));
    const pid = await livingProcessIn(life);
    return pid !== null && pid === (await lockHolder(stateDirectory)) ? { life, release } : null;
  } catch {
    return null;
  }
}
