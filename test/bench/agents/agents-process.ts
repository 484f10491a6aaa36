/** Thousands of agents in one process, each with a signed request and a stream of its own. Started by `agents.ts`. */
import type { IncomingMessage } from "node:http";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import { AGENT_PATHS } from "../../../src/protocol/agent/paths.ts";
import { open, type PlayedIdentity, signedRequest } from "../../support/played-agent.ts";
import { type AgentsAnswer, type AgentsOrder, machineNowMs } from "./messages.ts";

const AT_ONCE = 40;
const CHANGE = Buffer.from("event: change");

let heardAt: number[] = [];
let awaited = 0;

const answer = (message: AgentsAnswer): void => void process.send?.(message);

process.on("message", async (order: AgentsOrder) => {
  if (order.kind === "await-changes") {
    heardAt = [];
    awaited = order.count;
    answer({ kind: "armed" });
    return;
  }
  const begun = machineNowMs();
  streams.push(...(await mapLimited(order.identities, AT_ONCE, connect)));
  answer({ kind: "connected", tookMs: machineNowMs() - begun });
});

const streams: IncomingMessage[] = [];

async function connect(identity: PlayedIdentity): Promise<IncomingMessage> {
  const request = await signedRequest(identity, { method: "GET", path: AGENT_PATHS.events });
  const stream = await open(identity, request);
  if (stream.statusCode !== 200) throw new Error(`events answered ${stream.statusCode}`);
  stream.on("data", (chunk: Buffer) => {
    if (!chunk.includes(CHANGE) || awaited === 0) return;
    heardAt.push(machineNowMs());
    if (heardAt.length < awaited) return;
    awaited = 0;
    answer({ kind: "heard", atMs: heardAt });
  });
  stream.on("close", () => {
    // A figure without all of them is worth nothing.
    process.stderr.write("an agent's stream was cut\n");
    process.exit(1);
  });
  return stream;
}
