/** The line to the server over TLS whose key the code has pinned. */
import { afterEach, expect, it } from "vitest";
import { type AgentKit, clientOf, reach, startAgentKit } from "../support/agent-kit.ts";

let kit: AgentKit | null = null;
afterEach(async () => {
  await kit?.dispose();
  kit = null;
});

it("a server with a key of its own is recognised by the key that the code names", async () => {
  kit = await startAgentKit({ tls: true });
  await kit.enrol();
  kit.server.set(kit.content(1, "over-tls"));
  const { server, said } = kit;
  kit.run(await kit.open());
  await reach("the restart", () => server.reports.at(-1)?.units[0]?.state === "succeeded", said);
  expect(kit.fileText()).toContain("over-tls");
  await reach("the stream", () => server.streams() === 1, said);
});

it("another key gets not a byte of a request", async () => {
  kit = await startAgentKit({ tls: true, pin: "A".repeat(43) });
  await expect(kit.enrol()).rejects.toMatchObject({ code: "TARGET_HOST_KEY" });
  expect(kit.server.requests).toEqual([]);
});

it("a server that changes its key later is not spoken to any more", async () => {
  kit = await startAgentKit({ tls: true });
  const identity = await kit.enrol();
  const before = kit.server.requests.length;
  const client = clientOf({ ...identity, tlsKeyDigest: "A".repeat(43) });
  await expect(client.confirm("c".repeat(22), new AbortController().signal)).rejects.toMatchObject({
    code: "TARGET_HOST_KEY",
  });
  expect(kit.server.requests).toHaveLength(before);
});
