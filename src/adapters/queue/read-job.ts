/** What came from a backend that others may write into: one of our jobs, with an id that could be ours, or nothing. */
import { JOB_NAMES, type Job } from "../../core/ports/queue.ts";

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
/** Of a follow group: place and project, or a host and its port. */
const GROUP = /^[^\p{C}\p{Z}]{1,512}$/u;

export function readJob({ name, data }: { readonly name: unknown; readonly data: unknown }): Job | null {
  const known = JOB_NAMES.find((one) => one === name);
  if (known === undefined || typeof data !== "object" || data === null || !Object.hasOwn(data, "id"))
    return null;
  const { id } = data as { readonly id: unknown };
  if (typeof id !== "string" || !(known === "follow" ? GROUP : UUID).test(id)) return null;
  return { name: known, id };
}
