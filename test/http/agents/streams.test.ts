/** Streams without a wire: who is told, who is cut. What crosses processes and sockets is in `events.test.ts`. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { AgentStreams, type AgentStreamsOptions } from "../../../src/edges/http/agents/streams.ts";

const open: AgentStreams[] = [];
afterEach(() => {
  for (const streams of open.splice(0)) streams.close();
});

function createStreams(options: Partial<AgentStreamsOptions> = {}) {
  const ended = new Set<string>();
  const asked: string[] = [];
  const agents = new Map<string, string>();
  const streams = new AgentStreams({
    activeAt: async (targetIds) => {
      asked.push(...targetIds);
      return [...agents]
        .filter(([id, target]) => targetIds.includes(target) && !ended.has(id))
        .map(([id]) => id);
    },
    keepaliveMs: 50,
    ...options,
  });
  open.push(streams);
  const connect = (agentId: string, targetId = `target of ${agentId}`) => {
    const said: string[] = [];
    const outlet = {
      writableLength: 0,
      isDestroyed: false,
      write: (text: string) => void said.push(text),
      destroy: () => {
        outlet.isDestroyed = true;
      },
    };
    agents.set(agentId, targetId);
    const forget = streams.open({ agentId, targetId }, outlet);
    return {
      outlet,
      forget,
      changes: () => said.filter((text) => text.startsWith("event: change\n")).length,
      comments: () => said.filter((text) => text.startsWith(":")).length,
    };
  };
  return { streams, ended, asked, connect };
}

const until = (reached: () => void): Promise<void> => vi.waitFor(reached, { timeout: 5_000, interval: 5 });

test("a hint reaches the target's agents, and nobody else", () => {
  const { streams, connect } = createStreams();
  const [one, beside, other] = [connect("1", "t"), connect("2", "t"), connect("3")];
  streams.notify(["t", "a target without agents"]);
  expect([one.changes(), beside.changes(), other.changes()]).toEqual([1, 1, 0]);
});

test("a newer stream of the same agent ends the older, whose late end does not end the newer", () => {
  const { streams, connect } = createStreams();
  const [older, newer] = [connect("1"), connect("1")];
  older.forget();
  streams.notify(["target of 1"]);
  expect([older.outlet.isDestroyed, newer.outlet.isDestroyed]).toEqual([true, false]);
  expect([older.changes(), newer.changes(), streams.count]).toEqual([0, 1, 1]);
});

test("everybody is told after the line was cut, in portions", async () => {
  const { streams, connect } = createStreams();
  const agents = Array.from({ length: 120 }, (_, index) => connect(`${index}`));
  streams.notify("all");
  expect(agents.filter(({ changes }) => changes() === 1).length).toBe(50);
  await until(() => expect(agents.every(({ changes }) => changes() === 1)).toBe(true));
});

describe("an agent whose identity has ended is cut", () => {
  test("with the hint that tells of it", async () => {
    const { streams, ended, connect } = createStreams();
    const [one, beside] = [connect("1", "t"), connect("2", "t")];
    ended.add("1");
    streams.notify(["t"]);
    await until(() => expect(one.outlet.isDestroyed).toBe(true));
    expect(beside.outlet.isDestroyed).toBe(false);
  });

  test("with the next keepalive when the hint was lost", async () => {
    const { ended, connect } = createStreams();
    const one = connect("1");
    await until(() => expect(one.comments()).toBeGreaterThan(1));
    ended.add("1");
    await until(() => expect(one.outlet.isDestroyed).toBe(true));
  });

  test("when it ended while its stream was being opened", async () => {
    const { ended, connect } = createStreams({ keepaliveMs: 1_000_000 });
    ended.add("1");
    const one = connect("1");
    await until(() => expect(one.outlet.isDestroyed).toBe(true));
  });
});

test("while the store is away nobody is cut, and keepalives go on", async () => {
  const { streams, connect } = createStreams({ activeAt: () => Promise.reject(new Error("away")) });
  const one = connect("1");
  streams.notify(["target of 1"]);
  await until(() => expect(one.comments()).toBeGreaterThan(3));
  expect(one.outlet.isDestroyed).toBe(false);
});

describe("a reader that does not read", () => {
  test("is cut with the next keepalive", async () => {
    const { streams, connect } = createStreams();
    const one = connect("1");
    one.outlet.writableLength = 10;
    await until(() => expect(one.outlet.isDestroyed).toBe(true));
    expect(streams.count).toBe(0);
  });

  test("is not buffered for", () => {
    const { streams, connect } = createStreams({ keepaliveMs: 1_000_000 });
    const one = connect("1");
    const write = one.outlet.write;
    one.outlet.write = (text) => {
      one.outlet.writableLength += text.length;
      write(text);
    };
    for (let count = 0; count < 1_000; count += 1) streams.notify(["target of 1"]);
    expect(one.outlet.writableLength).toBeLessThan(300);
    expect(one.changes()).toBeGreaterThan(0);
  });
});

test("many notifications at once ask the store about each target once, and in bounded questions", async () => {
  const sizes: number[] = [];
  const { streams, connect } = createStreams({
    keepaliveMs: 1_000_000,
    activeAt: async (targetIds) => {
      sizes.push(targetIds.length);
      return targetIds.map((id) => id.replace("target of ", ""));
    },
  });
  const names = Array.from({ length: 1_200 }, (_, index) => `${index}`);
  const agents = names.map((name) => connect(name));
  await until(() => expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_200));
  streams.notify(names.map((name) => `target of ${name}`));
  await until(() => expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_400));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
  expect(agents.some(({ outlet }) => outlet.isDestroyed)).toBe(false);
});

test("closing ends every stream, and lets none in", () => {
  const { streams, connect } = createStreams();
  const one = connect("1");
  streams.close();
  const late = connect("2");
  expect([one.outlet.isDestroyed, late.outlet.isDestroyed, streams.count]).toEqual([true, true, 0]);
});
