/**
 * How long a person waits for `doctor`: every place looked at now, copies and processes included, and what follows from
 * it. Beside it what somebody does without: one place after the other, `ssh` for a host, one request for a service.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startTestCluster } from "../../support/database-clusters.ts";
import { startAgentPlaces } from "../propagate/agent-places.ts";
import { KEY, type Places, startRailwayPlaces, startSshPlaces } from "../propagate/places.ts";
import { openWorld } from "../propagate/world.ts";
import type { Bench, BenchOptions } from "../support/bench.ts";
import { percentile, round } from "../support/numbers.ts";

const run = promisify(execFile);

export const bench: Bench = {
  about: "how long doctor takes to look at 10 and 100 places, beside asking one after the other",
  async run(options) {
    const sizes = options.quick ? [10] : [10, 100];
    const cluster = await startTestCluster("embedded");
    options.cleanUp(() => cluster.stop());
    const places = await mixedPlaces(Math.max(...sizes), options);
    const world = await openWorld(cluster.connection);
    options.cleanUp(() => world.close());
    const runs = [];
    for (const targets of sizes) {
      await world.bind(places, targets, options.signal);
      await world.change(`value-for-${targets}-places`, options.signal);
      const times: number[] = [];
      const before = (await places.requests()) ?? 0;
      const rounds = options.quick ? 1 : 5;
      for (let count = 0; count < rounds; count += 1) {
        const began = performance.now();
        const { findings, verdict } = await world.doctor(options.signal);
        times.push(performance.now() - began);
        if (findings.some(({ severity }) => severity !== "hint")) throw new Error(verdict);
      }
      const requests = ((await places.requests()) ?? 0) - before;
      const began = performance.now();
      await places.oneByOne(targets);
      const oneByOneMs = performance.now() - began;
      const ms = round(percentile(times, 0.5), 0);
      options.say(`${targets} places: ${ms} ms; one after the other ${round(oneByOneMs, 0)} ms`);
      runs.push({
        targets,
        ms,
        slowestMs: round(Math.max(...times), 0),
        railwayRequests: round(requests / rounds, 1),
        oneByOneMs: round(oneByOneMs, 0),
        ratio: round(oneByOneMs / ms, 1),
      });
    }
    return {
      result: { runs },
      tables: [
        {
          title: "doctor",
          head: ["places", "ms", "slowest ms", "Railway requests", "one by one ms", "ratio"],
          rows: runs.map((one) => [
            one.targets,
            one.ms,
            one.slowestMs,
            one.railwayRequests,
            one.oneByOneMs,
            one.ratio,
          ]),
        },
      ],
      conditions: [
        "two fifths services at the simulated Railway in environments of 25, two fifths hosts behind real sshd processes, one fifth agents over a line each; embedded PostgreSQL, a worker beside it",
        "doctor reads what stands there, looks for copies on hosts and agents, compares what the deployments were started with, and asks agents to look now",
        "one by one: OpenSSH's client for a host, one request for a service's variables, and nothing for agents, which nobody can dial",
      ],
      limits: [
        "the processors, which hosts and agents share here; in the field the slowest place, 1.5 s at most unless told",
      ],
    };
  },
};

interface Mixed extends Places {
  /** Reads every place that can be dialled, and looks whether the value is there. */
  oneByOne(count: number): Promise<void>;
}

async function mixedPlaces(most: number, options: BenchOptions): Promise<Mixed> {
  const split = (count: number) => {
    const agents = Math.floor(count / 5);
    const hosts = Math.floor((count - agents) / 2);
    return { agents, hosts, services: count - agents - hosts };
  };
  const sizes = split(most);
  const railway = await startRailwayPlaces(sizes.services, options);
  const ssh = await startSshPlaces(sizes.hosts, options);
  const agent = await startAgentPlaces(sizes.agents, options);
  const targetsOf = async (count: number) => {
    const { agents, hosts, services } = split(count);
    return {
      services: await railway.targets(services),
      hosts: await ssh.targets(hosts),
      agents: await agent.targets(agents),
    };
  };
  const directory = mkdtempSync(join(tmpdir(), "lockstep-bench-doctor-"));
  options.cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  const keyFile = join(directory, "key");
  return {
    kind: "mixed",
    async targets(count) {
      const { services, hosts, agents } = await targetsOf(count);
      return { ...services, ...hosts, ...agents };
    },
    afterApply: async (...words) => {
      await agent.afterApply?.(...words);
    },
    async assertArrived(count, value) {
      const { agents, hosts, services } = split(count);
      await railway.assertArrived(services, value);
      await ssh.assertArrived(hosts, value);
      await agent.assertArrived(agents, value);
    },
    requests: () => railway.requests(),
    async oneByOne(count) {
      const { services, hosts } = await targetsOf(count);
      for (const service of Object.values(services)) await readService(service as ServiceTarget);
      for (const host of Object.values(hosts)) await readHost(host as HostTarget, keyFile, options);
    },
  };
}

interface ServiceTarget {
  readonly railway: Readonly<Record<"project" | "environment" | "service" | "token" | "endpoint", string>>;
}

async function readService({ railway }: ServiceTarget): Promise<void> {
  const { project, environment, service, token, endpoint } = railway;
  const query = `query { variables(projectId: "${project}", environmentId: "${environment}", serviceId: "${service}") }`;
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  if (!(await answer.text()).includes(KEY)) throw new Error("a service does not hold the secret");
}

interface HostTarget {
  readonly ssh: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly privateKey: string;
  };
  readonly files: readonly { readonly path: string }[];
}

async function readHost(
  { ssh, files }: HostTarget,
  keyFile: string,
  { signal }: BenchOptions,
): Promise<void> {
  const [file] = files;
  writeFileSync(keyFile, ssh.privateKey, { mode: 0o600 });
  const { stdout } = await run(
    "ssh",
    [
      "-q",
      "-i",
      keyFile,
      "-o",
      "IdentitiesOnly=yes",
      "-o",
      "StrictHostKeyChecking=no",
      "-o",
      "UserKnownHostsFile=/dev/null",
      "-p",
      String(ssh.port),
      `${ssh.user}@${ssh.host}`,
      `cat ${file?.path ?? ""}`,
    ],
    { signal },
  );
  if (!stdout.includes(KEY)) throw new Error("a host does not hold the secret");
}
