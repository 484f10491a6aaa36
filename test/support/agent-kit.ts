/** An agent in this process with a scripted server, a home of its own, a service that is a command, and short waits. */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildRunner, ChildUnit } from "../../src/edges/agent/apply/child-unit.ts";
import { AgentClient } from "../../src/edges/agent/client/client.ts";
import { createTransport } from "../../src/edges/agent/client/transport.ts";
import type { AgentContext, AgentTiming } from "../../src/edges/agent/context.ts";
import { agentFactsOf } from "../../src/edges/agent/facts.ts";
import { openAgentFiles } from "../../src/edges/agent/identity/agent-files.ts";
import { enrol } from "../../src/edges/agent/identity/enrol.ts";
import type { Identity } from "../../src/edges/agent/identity/identity.ts";
import { createAgentLog } from "../../src/edges/agent/log.ts";
import { runAgentLoop } from "../../src/edges/agent/loop/agent-loop.ts";
import { openAgent } from "../../src/edges/agent/open-agent.ts";
import { parseEnrolmentCode } from "../../src/protocol/agent/enrolment-code.ts";
import type { Bundle } from "../../src/protocol/agent/messages.ts";
import type { AgentSettings } from "../../src/settings/agent-program.ts";
import { type AgentServer, type AgentServerOptions, startAgentServer } from "./agent-server.ts";

export const SHORT: Partial<AgentTiming> = {
  pollMs: 2_000,
  silenceMs: 400,
  coldStartMs: 300,
  requestMs: 1_000,
  reconnectMs: [20, 100],
  reportEveryMs: 60_000,
  followMs: 20,
  notStartedAfterMs: 100,
  retryFailedActivationMs: 50,
  retryWriteMs: 10,
  clockLookMs: 10,
};

export interface AgentKit {
  readonly server: AgentServer;
  readonly home: string;
  /** The service's file. */
  readonly file: string;
  readonly settings: AgentSettings;
  readonly said: string[];
  enrol(): Promise<Identity>;
  open(more?: {
    child?: ChildRunner;
    checkpoint?: AgentContext["checkpoint"];
    timing?: Partial<AgentTiming>;
  }): Promise<AgentContext>;
  /** Runs until `stop` of the answer. */
  run(context: AgentContext): { stop(): Promise<void> };
  allow(policy: string): void;
  /** A whole bundle content for one secret in the file. */
  content(generation: number, value: string, more?: Partial<Bundle>): Partial<Bundle>;
  fileText(): string | null;
  starts(): number;
  dispose(): Promise<void>;
}

const BINDING = { bindingId: randomUUID(), secretId: randomUUID(), secret: "INTERNAL_AUTH_SECRET" };

export async function startAgentKit(options: AgentServerOptions = {}): Promise<AgentKit> {
  const server = await startAgentServer(options);
  const home = mkdtempSync(join(tmpdir(), "lockstep-agent-"));
  const app = join(home, "app");
  mkdirSync(app, { mode: 0o700 });
  const file = join(app, ".env");
  const policyFile = join(home, "policy", "agent-policy.yaml");
  mkdirSync(join(home, "policy"), { mode: 0o700 });
  const settings: AgentSettings = {
    stateDirectory: join(home, "state"),
    enrolmentFile: null,
    policyFile,
    homeDirectory: home,
    env: { PATH: process.env["PATH"] },
  };
  const said: string[] = [];
  const log = createAgentLog({ write: (line) => void said.push(line), scrub: (text) => text });
  const values: { version: number; value: string }[] = [];
  let identity: Identity | null = null;
  const stops: (() => Promise<void>)[] = [];

  const kit: AgentKit = {
    server,
    home,
    file,
    settings,
    said,
    async enrol() {
      const code = parseEnrolmentCode(server.code());
      if (code === null) throw new Error("no code");
      identity = await enrol(
        code,
        {
          files: await openAgentFiles(settings.stateDirectory, { create: true }),
          facts: agentFactsOf("0.0.0-test"),
          transport: createTransport(code),
          nowMs: Date.now,
          timeoutMs: 1_000,
          knownEpoch: async () => null,
        },
        new AbortController().signal,
      );
      return identity;
    },
    async open({ child, checkpoint, timing } = {}) {
      return openAgent({
        settings,
        version: "0.0.0-test",
        files: await openAgentFiles(settings.stateDirectory, { create: false }),
        identity: identity ?? (await kit.enrol()),
        log,
        know: () => undefined,
        child: child === undefined ? null : new ChildUnit(child),
        timing: { ...SHORT, ...timing },
        ...(checkpoint === undefined ? {} : { checkpoint }),
      });
    },
    run(context) {
      const end = new AbortController();
      const running = runAgentLoop(context, end.signal);
      const stop = async (): Promise<void> => {
        end.abort();
        await running;
      };
      stops.push(stop);
      return { stop };
    },
    allow: (policy) => writeFileSync(policyFile, policy, { mode: 0o600 }),
    content: (generation, value, more = {}) => {
      const macKey = randomBytes(32).toString("base64url");
      const known = values.map((one) => ({ version: one.version, mac: macOf(macKey, one.value) }));
      values.push({ version: generation, value });
      return {
        generation,
        digest: `digest-${generation}`,
        pushId: randomUUID(),
        macKey,
        files: [{ path: file, format: "dotenv", mode: "0600" }],
        activate: { command: "restart", timeoutSeconds: 10 },
        slots: [slot({ version: generation, value, placement: file, known, owned: generation > 1 })],
        ...more,
      };
    },
    fileText: () => (existsSync(file) ? readFileSync(file, "utf8") : null),
    starts: () => (existsSync(join(app, "starts")) ? readFileSync(join(app, "starts"), "utf8").length : 0),
    async dispose() {
      for (const stop of stops.splice(0)) await stop();
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
  kit.allow(policyOf(app, file));
  return kit;
}

/** What the host's owner allows: the file, and a command that starts the service with what stands in the file. */
export function policyOf(app: string, file: string): string {
  const start = `cp ${file} ${app}/running && printf x >> ${app}/starts`;
  return `files: [${file}]\ncommands:\n  restart: [/bin/sh, -c, ${JSON.stringify(start)}]\n`;
}

export function slot(more: Partial<Bundle["slots"][number]> = {}): Bundle["slots"][number] {
  return {
    ...BINDING,
    slot: "primary",
    placement: "",
    key: "INTERNAL_AUTH_SECRET",
    version: 1,
    value: "value-1",
    owned: false,
    takeOver: false,
    settledVersion: null,
    known: [],
    ...more,
  };
}

export function macOf(macKey: string, value: string): string {
  return createHmac("sha256", Buffer.from(macKey, "base64url")).update(value).digest("base64url");
}

export async function reach(
  what: string,
  holds: () => boolean | Promise<boolean>,
  said: readonly string[] = [],
): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline)
      throw new Error(`not reached: ${what}; it said: ${said.join("").slice(-2_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** For tests of what leaves a client alone. */
export function clientOf(identity: Identity, timeoutMs = 500): AgentClient {
  return new AgentClient({ transport: createTransport(identity), nowMs: Date.now, timeoutMs }, identity);
}
