import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newKeys } from "../../src/edges/agent/identity/identity.ts";
import { publicPart } from "../../src/protocol/agent/keys.ts";
import { type AgentKit, reach, slot, startAgentKit } from "../support/agent-kit.ts";
import type { SealedBy } from "../support/agent-server.ts";

let kit: AgentKit;
beforeEach(async () => {
  kit = await startAgentKit();
  await kit.enrol();
});
afterEach(() => kit.dispose());

const lastReport = () => kit.server.reports.at(-1);
const unitState = () => lastReport()?.units[0]?.state;

describe("a change at the server", () => {
  it("comes to the file, restarts the service once, and closes the push", async () => {
    const content = kit.content(1, "first-value");
    kit.server.set(content);
    kit.run(await kit.open());
    await reach("the restart", () => unitState() === "succeeded", kit.said);
    expect(kit.fileText()).toBe("INTERNAL_AUTH_SECRET='first-value'\n");
    expect(kit.starts()).toBe(1);
    const pushes = kit.server.reports.flatMap(({ push }) => (push === null ? [] : [push]));
    expect(pushes.map(({ pushId, outcome }) => ({ pushId, outcome }))).toEqual([
      { pushId: content.pushId, outcome: "applied" },
    ]);
    expect(pushes[0]?.before[0]?.found).toEqual({ kind: "absent" });
    expect(lastReport()?.seen[0]).toMatchObject({
      action: "unchanged",
      found: { kind: "version", version: 1 },
    });
    expect(JSON.stringify(kit.server.reports)).not.toContain("first-value");
  });

  it("is heard at once through the line for changes", async () => {
    kit.server.set(kit.content(1, "first"));
    kit.run(await kit.open({ timing: { pollMs: 60_000 } }));
    await reach("the first", () => unitState() === "succeeded" && kit.server.streams() === 1, kit.said);
    kit.server.set(kit.content(2, "second"));
    await reach("the second", () => lastReport()?.generation === 2 && unitState() === "succeeded", kit.said);
    expect(kit.fileText()).toBe("INTERNAL_AUTH_SECRET='second'\n");
    expect(kit.starts()).toBe(2);
    expect(kit.server.reports.flatMap(({ push }) => push?.before ?? []).at(-1)?.found).toEqual({
      kind: "version",
      version: 1,
    });
  });

  it("is found by polling when the line for changes is silent", async () => {
    kit.server.misbehave("events", { kind: "status", status: 503 });
    kit.run(await kit.open({ timing: { pollMs: 100 } }));
    await reach("a poll", () => kit.server.requests.length > 2, kit.said);
    kit.server.set(kit.content(1, "polled"));
    await reach("the file", () => kit.fileText()?.includes("polled") === true, kit.said);
  });

  it("that is none writes nothing and restarts nothing", async () => {
    kit.server.set(kit.content(1, "same"));
    kit.run(await kit.open());
    await reach("the first", () => unitState() === "succeeded", kit.said);
    const before = kit.fileText();
    kit.server.set({
      ...kit.content(2, "same"),
      slots: [slot({ version: 2, value: "same", placement: kit.file, owned: true })],
    });
    await reach("the second", () => lastReport()?.generation === 2, kit.said);
    expect(kit.fileText()).toBe(before);
    expect(kit.starts()).toBe(1);
  });
});

describe("what stands at a place", () => {
  it("and is foreign stays, and the push says so", async () => {
    writeFileSync(kit.file, "INTERNAL_AUTH_SECRET='theirs'\nOTHER=1\n", { mode: 0o600 });
    kit.server.set(kit.content(1, "ours"));
    kit.run(await kit.open());
    await reach("the report", () => kit.server.reports.some(({ push }) => push !== null), kit.said);
    const push = kit.server.reports.find((report) => report.push !== null)?.push;
    expect(push).toMatchObject({ outcome: "failed", error: { code: "FOREIGN_VALUE" } });
    expect(kit.fileText()).toBe("INTERNAL_AUTH_SECRET='theirs'\nOTHER=1\n");
    expect(kit.starts()).toBe(0);
  });

  it("and drifts is seen and told, and left alone until a push asks for it", async () => {
    const content = kit.content(1, "ours");
    kit.server.set(content);
    kit.run(await kit.open({ timing: { pollMs: 50 } }));
    await reach("the first", () => unitState() === "succeeded", kit.said);
    writeFileSync(kit.file, "INTERNAL_AUTH_SECRET='drifted'\n", { mode: 0o600 });
    await reach("the look", () => lastReport()?.seen[0]?.found.kind === "unknown", kit.said);
    expect(kit.fileText()).toContain("drifted");
    kit.server.set({
      ...content,
      generation: 2,
      pushId: randomUUID(),
      slots: [slot({ placement: kit.file, value: "ours", owned: true })],
    });
    await reach("the repair", () => kit.fileText()?.includes("ours") === true, kit.said);
  });
});

describe("a file with further names", () => {
  it("is refused and told, and nothing restarts; where the configuration says so, all names show the change", async () => {
    const other = `${kit.file}-other`;
    writeFileSync(kit.file, "OTHER=1\n", { mode: 0o600 });
    linkSync(kit.file, other);
    kit.server.set(kit.content(1, "ours"));
    kit.run(await kit.open());
    const pushes = () => kit.server.reports.flatMap(({ push }) => (push === null ? [] : [push]));
    await reach("the report", () => pushes().length > 0, kit.said);
    expect(pushes()[0]).toMatchObject({ outcome: "failed", error: { code: "FILE_SHARED" } });
    expect([kit.fileText(), kit.starts()]).toEqual(["OTHER=1\n", 0]);

    const content = kit.content(2, "its $5");
    const files = [{ path: kit.file, format: "dotenv", mode: "0600", write: "in-place", reader: "node" }];
    kit.server.set({ ...content, files });
    await reach("the change", () => unitState() === "succeeded", kit.said);
    expect(readFileSync(other, "utf8")).toBe("OTHER=1\nINTERNAL_AUTH_SECRET='its $5'\n");
  });
});

describe("a clock", () => {
  const DAY_MS = 86_400_000;

  /** This machine's, moved by hand: set to another time, or asleep. */
  async function openWith(timing: Parameters<AgentKit["open"]>[0]) {
    const moved = { wallMs: 0, ownMs: 0 };
    const context = {
      ...(await kit.open(timing)),
      nowMs: () => Date.now() + moved.wallMs,
      monotonicMs: () => performance.now() + moved.ownMs,
    };
    return { context, moved };
  }

  it("that is set back does not hold a restart until the old future", async () => {
    const { context, moved } = await openWith({});
    moved.wallMs = DAY_MS;
    kit.server.set(kit.content(1, "first", { quietMs: 1_000, maxQuietMs: 1_500 }));
    kit.run(context);
    await reach("the file", () => context.records.now.unit?.state === "owed", kit.said);
    moved.wallMs = 0;
    await reach("the restart", () => unitState() === "succeeded", kit.said);
    expect(kit.starts()).toBe(1);
  });

  it("that was set back while a restart was followed counts anew, and asks again where nothing started", async () => {
    const { context } = await openWith({});
    const content = kit.content(1, "first");
    kit.server.set(content);
    const first = kit.run(context);
    await reach("the restart", () => unitState() === "succeeded", kit.said);
    await first.stop();
    const { unit } = context.records.now;
    const future = new Date(Date.now() + DAY_MS).toISOString();
    if (unit === null) expect.fail("no unit");
    await context.records.update({
      unit: { ...unit, state: "retry", owedAt: future, changedAt: future, askedAt: future, attempts: 1 },
    });
    kit.run(context);
    await reach("the retry", () => kit.starts() === 2, kit.said);
    expect(Date.parse(context.records.now.unit?.changedAt ?? "")).toBeLessThan(Date.now() + 1_000);
  });

  it("that is set back does not stop the polls", async () => {
    kit.server.misbehave("events", { kind: "status", status: 503 });
    const { context, moved } = await openWith({ timing: { pollMs: 50, clockLookMs: 3_600_000 } });
    moved.wallMs = DAY_MS;
    kit.run(context);
    await reach("a poll", () => kit.server.requests.length > 2, kit.said);
    moved.wallMs = 0;
    kit.server.set(kit.content(1, "polled"));
    await reach("the file", () => kit.fileText()?.includes("polled") === true, kit.said);
  });

  it("that ran on while the machine slept has the line opened anew at once", async () => {
    const { context, moved } = await openWith({ timing: { pollMs: 3_600_000, silenceMs: 3_600_000 } });
    kit.run(context);
    const lines = () => kit.server.requests.filter((path) => path.endsWith("/events")).length;
    await reach("the line", () => kit.server.streams() === 1 && lines() === 1, kit.said);
    const asked = kit.server.requests.length;
    moved.wallMs = 600_000;
    await reach("the new line", () => lines() === 2 && kit.server.streams() === 1, kit.said);
    await reach("the fetch", () => kit.server.requests.length >= asked + 2, kit.said);
    expect(kit.said.join("\n")).toContain("this machine slept");
  });
});

describe("a unit that does not start", () => {
  it("is tried twice, then waits for a new push", async () => {
    kit.allow(`files: [${kit.file}]\ncommands: { restart: [/bin/false] }\n`);
    kit.server.set(kit.content(1, "bad"));
    kit.run(await kit.open());
    await reach("the end", () => unitState() === "blocked", kit.said);
    expect(lastReport()?.units[0]?.error?.code).toBe("ACTIVATION_FAILED");
    expect(kit.fileText()).toContain("bad");

    kit.allow(`files: [${kit.file}]\ncommands: { restart: [/bin/true] }\n`);
    kit.server.set({ ...kit.content(1, "bad"), pushId: randomUUID() });
    await reach("the resume", () => unitState() === "succeeded", kit.said);
  });
});

describe("the host's policy", () => {
  it("keeps a refused file untouched, does the rest, and tells the lines to add", async () => {
    const other = join(kit.home, "app", "other.env");
    const content = kit.content(1, "allowed");
    kit.server.set({
      ...content,
      files: [...(content.files ?? []), { path: other, format: "dotenv", mode: "0600" }],
      slots: [
        ...(content.slots ?? []),
        slot({ placement: other, bindingId: randomUUID(), value: "refused" }),
      ],
    });
    kit.run(await kit.open());
    await reach("the report", () => unitState() === "succeeded", kit.said);
    expect(kit.fileText()).toContain("allowed");
    expect(() => readFileSync(other)).toThrow();
    expect(lastReport()?.refused[0]).toMatchObject({ what: `file ${other}` });
    const push = kit.server.reports.find((report) => report.push !== null)?.push;
    expect(push).toMatchObject({ outcome: "failed", error: { code: "POLICY_REFUSED" } });
  });

  it("without a file allows no file and no command", async () => {
    rmSync(join(kit.home, "policy", "agent-policy.yaml"));
    kit.server.set(kit.content(1, "nothing"));
    kit.run(await kit.open());
    await reach("the report", () => kit.server.reports.some(({ push }) => push !== null), kit.said);
    expect(kit.fileText()).toBeNull();
    expect(lastReport()?.refused.map(({ what }) => what)).toEqual([`file ${kit.file}`, "command restart"]);
  });
});

describe("a bundle that must not be", () => {
  const cases: readonly { what: string; sealed: () => SealedBy; says: RegExp }[] = [
    {
      what: "signed by another key",
      sealed: () => ({ signWith: newKeys().signKey }),
      says: /not signed by its server/,
    },
    {
      what: "sealed to another agent",
      sealed: () => ({ encryptTo: publicPart(newKeys().encryptKey) }),
      says: /not sealed to this agent/,
    },
    {
      what: "made for another agent",
      sealed: () => ({ content: { agentId: randomUUID() } }),
      says: /another agent/,
    },
    {
      what: "of another store",
      sealed: () => ({ content: { storeId: randomUUID() } }),
      says: /another store/,
    },
    {
      what: "an answer to an older request",
      sealed: () => ({ content: { nonce: "AAAAAAAAAAAAAAAAAAAAAA" } }),
      says: /earlier request/,
    },
    { what: "of a lower generation", sealed: () => ({ content: { generation: 4 } }), says: /lower than 5/ },
    {
      what: "of an epoch that nobody is known to have begun (ruling 7)",
      sealed: () => ({ content: { epoch: 2 } }),
      says: /no signed entry/,
    },
    { what: "of no known form", sealed: () => ({ content: { extra: 1 } as object }), says: /form/ },
  ];
  it.each(cases)("$what is dropped, changes nothing, and is told", async ({ sealed, says }) => {
    kit.server.set(kit.content(5, "right"));
    kit.run(await kit.open());
    await reach("the right one", () => unitState() === "succeeded" && kit.server.streams() === 1, kit.said);
    const evil = { ...kit.content(6, "forged"), ...sealed().content };
    kit.server.misbehave("bundle", { kind: "bundle", sealed: { ...sealed(), content: evil } });
    kit.server.notify();
    await reach(
      "the incident",
      () => kit.server.reports.some(({ incidents }) => incidents.length > 0),
      kit.said,
    );
    const incident = kit.server.reports.flatMap(({ incidents }) => incidents)[0];
    expect(incident?.code).toBe("BUNDLE_REFUSED");
    expect(incident?.message).toMatch(says);
    expect(kit.fileText()).toContain("right");
    expect(kit.starts()).toBe(1);
  });
});

describe("a server that is away", () => {
  const faults = [
    { what: "silent", fault: { kind: "silent" } },
    { what: "cutting the line", fault: { kind: "cut" } },
    { what: "failing", fault: { kind: "status", status: 500 } },
    {
      what: "redirecting",
      fault: { kind: "status", status: 302, headers: { location: "http://127.0.0.1:1/" } },
    },
  ] as const;
  it.each(faults)(
    "or $what: the start goes on from the cache; what was not told is told later",
    async ({ fault }) => {
      const first = await kit.open();
      kit.server.set(kit.content(1, "cached"));
      const run = kit.run(first);
      await reach("the first", () => unitState() === "succeeded", kit.said);
      await run.stop();
      rmSync(kit.file);
      for (const path of ["bundle", "report", "events"] as const) kit.server.misbehave(path, fault);
      // A start of the machine that took the file away.
      const context = { ...(await kit.open()), bootId: "another-boot" };
      kit.run(context);
      await reach(
        "the file",
        () => kit.fileText()?.includes("cached") === true && kit.starts() === 2,
        kit.said,
      );
      // The server still is as it was: nothing came from there.
      const told = kit.server.reports.length;
      kit.server.behave();
      await reach(
        "the report",
        () => kit.server.reports.length > told && unitState() === "succeeded",
        kit.said,
      );
    },
  );

  it("for good, after it revoked the agent: services keep what they have, nothing more is asked", async () => {
    kit.server.set(kit.content(1, "kept"));
    const context = await kit.open({ timing: { pollMs: 50 } });
    kit.run(context);
    await reach("the first", () => unitState() === "succeeded", kit.said);
    for (const path of ["bundle", "report", "events"] as const) {
      kit.server.misbehave(path, { kind: "status", status: 401, body: { code: "AGENT_REVOKED" } });
    }
    kit.server.cutStreams();
    await reach("the word", () => context.records.now.revokedAt !== null, kit.said);
    const count = kit.server.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(kit.server.requests.length - count).toBeLessThanOrEqual(2);
    expect(kit.fileText()).toContain("kept");
    expect(kit.said.join("")).toContain("revoked");
  });
});
