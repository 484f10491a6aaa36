/**
 * /metrics in Prometheus' text format: what the store owes, and how requests were answered. Counts only; no name of
 * a secret or target appears. For a token, or for loopback: behind a proxy everybody comes from loopback, so a
 * forwarded request counts as foreign.
 */
import type { FastifyRequest } from "fastify";
import type { AppContext } from "../../app/base/context.ts";

export class RequestCounter {
  readonly #counts = new Map<string, number>();

  /** `route` is the pattern, never the address itself. */
  count(method: string, route: string, status: number): void {
    const labels = `method="${method}",route="${route}",status="${status}"`;
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + 1);
  }

  lines(): readonly string[] {
    return [...this.#counts].map(([labels, count]) => `lockstep_http_requests_total{${labels}} ${count}`);
  }
}

export function isLocalRequest(request: FastifyRequest): boolean {
  const { headers, socket } = request;
  const forwarded = headers["forwarded"] ?? headers["x-forwarded-for"] ?? headers["x-real-ip"];
  return forwarded === undefined && /^(?:127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? "");
}

export async function renderMetrics(context: AppContext, requests: RequestCounter): Promise<string> {
  const counts = await context.store.read.views.counts();
  const gauges: readonly (readonly [name: string, help: string, value: number])[] = [
    ["lockstep_targets", "Targets.", counts.targets],
    ["lockstep_targets_owed", "Targets that do not hold yet what they should.", counts.targetsOwed],
    ["lockstep_targets_gave_up", "Targets that need a person.", counts.targetsGaveUp],
    ["lockstep_activations_open", "Restarts owed or under way.", counts.activationsOpen],
    ["lockstep_activations_blocked", "Restarts that need a person.", counts.activationsBlocked],
    ["lockstep_rollouts_running", "Rollouts under way.", counts.rolloutsRunning],
    ["lockstep_rollouts_stalled", "Rollouts that wait for something to be repaired.", counts.rolloutsStalled],
    ["process_resident_memory_bytes", "Resident memory.", process.memoryUsage.rss()],
    ["process_uptime_seconds", "Since the process started.", Math.round(process.uptime())],
  ];
  const lines = gauges.flatMap(([name, help, value]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ]);
  return [
    ...lines,
    "# HELP lockstep_http_requests_total Requests by route and status.",
    "# TYPE lockstep_http_requests_total counter",
    ...requests.lines(),
    "",
  ].join("\n");
}
