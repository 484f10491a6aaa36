/** What the agent says of itself, and what tells one start of the machine from another. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname, uptime } from "node:os";
import type { AgentFacts } from "../../protocol/agent/messages.ts";

export function agentFactsOf(version: string): AgentFacts {
  return {
    version: version.slice(0, 40),
    hostname: hostname().slice(0, 253),
    platform: `${process.platform}-${process.arch}`.slice(0, 40),
    instance: randomBytes(16).toString("base64url"),
  };
}

const MINUTE_MS = 60_000;

/** Linux names each start; elsewhere the time of the start does, to the minute, because clocks are corrected. */
export async function bootIdOf(nowMs: number): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return `boot-${Math.round((nowMs - uptime() * 1_000) / MINUTE_MS)}`;
  }
}
