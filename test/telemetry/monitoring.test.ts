/** The files for Prometheus and Grafana: they name what the program shows, and Prometheus' own tool can read them. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { createTelemetry } from "../../src/adapters/telemetry/telemetry.ts";
import type { StoreLevels } from "../../src/core/store/levels.ts";
import { findServer, lacks } from "../support/servers.ts";

const FOLDER = new URL("../../deploy/monitoring/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(read("grafana-dashboard.json")) as { readonly panels: readonly Panel[] };
const rules = parse(read("lockstep.rules.yml")) as {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly annotations: object;
    }[];
  }[];
};
const expressions = [
  ...rules.groups.flatMap((group) => group.rules.map(({ alert, expr }) => ({ of: alert, expr }))),
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ of: title, expr }))),
];

/** Everything once. */
async function exposition(): Promise<string> {
  const telemetry = createTelemetry({
    release: "0.0.0-test",
    pool: () => ({ total: 0, idle: 0, waiting: 0, most: 1 }),
  });
  for (const operation of [
    "push",
    "activation",
    "look",
    "rollout-step",
    "issuer-request",
    "job",
    "loop",
  ] as const)
    await telemetry.during(operation, "x", async () => {});
  telemetry.pushEnded("x", "succeeded");
  telemetry.activationEnded("x", "succeeded", 1);
  telemetry.jobWaited("reconcile", 1);
  telemetry.requestAnswered({ method: "GET", route: "/x", status: 200, seconds: 1 });
  const one = { count: 1, seconds: 1 };
  const levels: StoreLevels = {
    targets: [{ ...one, kind: "x", state: "owed" }],
    owed: [{ ...one, kind: "x", age: "up_to_1m" }],
    checks: [{ ...one, kind: "x", age: "up_to_1m" }],
    activations: [{ ...one, kind: "x", state: "owed" }],
    rollouts: [{ ...one, phase: "stage", state: "running", age: "up_to_1m" }],
    tokens: [{ ...one, of: "issued", left: "ended" }],
    alerts: [{ ...one, kind: "x", level: "wrong" }],
    agentReports: [{ ...one, age: "never" }],
    agentContacts: [{ ...one, age: "never" }],
    due: [{ ...one, job: "reconcile" }],
  };
  return (await telemetry.exposition(levels)).text;
}

/** By metric, and for histograms by each of their series: the labels that may stand there. */
async function shown(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const text = await exposition();
  const known = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of text.matchAll(/^([a-z0-9_]+)(?:\{(.*)\})? \S+$/gm)) {
    const names = known.get(name) ?? new Set(["job", "instance"]);
    for (const [, label = ""] of labels.matchAll(/([a-z_]+)="/g)) names.add(label);
    known.set(name, names);
  }
  return known;
}

test("every metric and label that is asked for is one that the program shows", async () => {
  const known = await shown();
  expect(expressions.length).toBeGreaterThan(40);
  for (const { of, expr } of expressions) {
    const asked = [...expr.matchAll(/\b((?:lockstep|process|nodejs)_[a-z0-9_]+)\b(?:\{([^}]*)\})?/g)];
    if (asked.length === 0) expect(expr, of).toMatch(/^up\{/);
    for (const [, name = "", selector = ""] of asked) {
      const labels = known.get(name);
      expect(labels, `${of}: ${name}`).toBeDefined();
      for (const [, label = ""] of selector.matchAll(/([a-z_]+)(?:=|!)/g))
        expect(labels, `${of}: ${name}`).toContain(label);
    }
    const all = new Set(asked.flatMap(([, name = ""]) => [...(known.get(name) ?? [])]));
    for (const [, grouped = ""] of expr.matchAll(/\bby \(([^)]*)\)/g))
      for (const label of grouped.split(",").map((one) => one.trim()))
        if (asked.length > 0) expect(all, `${of}: ${expr}`).toContain(label);
  }
});

test("the page beside them names what the program shows", async () => {
  const known = [...(await shown()).keys()];
  const named = [...read("README.md").matchAll(/`(lockstep_[a-z_]+)`/g)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !known.some((one) => one === name || one === `${name}_count`))).toEqual([]);
});

test("each rule says in words what it means, and each panel has its place", () => {
  for (const { alert, annotations } of rules.groups.flatMap((group) => group.rules))
    expect(Object.keys(annotations), alert).toContain("summary");
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

describe.skipIf(lacks("promtool"))("promtool", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "lockstep-monitoring-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const promtool = (words: readonly string[], input = ""): string =>
    execFileSync(findServer("promtool") ?? "", words, { cwd: directory, encoding: "utf8", input });

  test("finds nothing to say against what the program shows", async () => {
    expect(promtool(["check", "metrics"], await exposition())).toBe("");
  });

  test("reads the configuration, the rules, and what the dashboard asks", () => {
    copyFileSync(new URL("lockstep.rules.yml", FOLDER), join(directory, "lockstep.rules.yml"));
    const token = join(directory, "token");
    writeFileSync(token, "lsk_x\n");
    const config = read("prometheus.yml").replaceAll("/etc/prometheus/lockstep-token", token);
    writeFileSync(join(directory, "prometheus.yml"), config);
    expect(promtool(["check", "config", "prometheus.yml"])).toContain("SUCCESS");
    const asked = expressions.map(({ expr }, index) => ({
      record: `lockstep:asked:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }));
    writeFileSync(
      join(directory, "asked.json"),
      JSON.stringify({ groups: [{ name: "dashboard", rules: asked }] }),
    );
    expect(promtool(["check", "rules", "asked.json"])).toContain(`SUCCESS: ${asked.length} rules found`);
  });

  test("sees the rules fire where they should, and nowhere else", () => {
    writeFileSync(
      join(directory, "test.json"),
      JSON.stringify({
        rule_files: ["lockstep.rules.yml"],
        evaluation_interval: "1m",
        tests: [
          {
            interval: "1m",
            input_series: [
              { series: 'lockstep_targets_gave_up{job="lockstep",instance="a"}', values: "0x5 2x20" },
              { series: 'lockstep_jobs_due_longest_seconds{job="lockstep",instance="a"}', values: "0x30" },
              { series: 'lockstep_pushes_total{kind="ssh",outcome="failed",instance="w"}', values: "0+2x30" },
              {
                series: 'lockstep_pushes_total{kind="ssh",outcome="succeeded",instance="w"}',
                values: "0+1x30",
              },
              {
                series: 'lockstep_pushes_total{kind="agent",outcome="succeeded",instance="w"}',
                values: "0+1x30",
              },
              {
                series: 'lockstep_agents_by_contact_age{age="up_to_1h",job="lockstep",instance="a"}',
                values: "3x30",
              },
            ],
            alert_rule_test: [
              { eval_time: "4m", alertname: "LockstepTargetGaveUp", exp_alerts: [] },
              fires("20m", "LockstepTargetGaveUp", { severity: "critical" }),
              fires("25m", "LockstepPushesFail", { severity: "warning", kind: "ssh" }),
              fires("20m", "LockstepAgentAway", { severity: "warning" }),
              { eval_time: "20m", alertname: "LockstepWorkWaits", exp_alerts: [] },
              { eval_time: "20m", alertname: "LockstepStoreDown", exp_alerts: [] },
            ],
          },
        ],
      }),
    );
    expect(promtool(["test", "rules", "test.json"])).toContain("SUCCESS");
  });
});

function fires(at: string, alert: string, labels: Readonly<Record<string, string>>) {
  const rule = rules.groups.flatMap((group) => group.rules).find((one) => one.alert === alert);
  const value = { LockstepTargetGaveUp: "2", LockstepAgentAway: "3" }[alert] ?? "";
  const told = Object.entries(rule?.annotations ?? {}).map(([name, text]) => [
    name,
    String(text)
      .replaceAll("{{ $value }}", value)
      .replaceAll(/\{\{ \$labels\.([a-z]+) \}\}/g, (_, label: string) => labels[label] ?? ""),
  ]);
  return {
    eval_time: at,
    alertname: alert,
    exp_alerts: [{ exp_labels: labels, exp_annotations: Object.fromEntries(told) }],
  };
}
