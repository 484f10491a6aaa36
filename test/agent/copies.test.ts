/** Where else on an agent's machine its values stand: searched where its owner allows it, told without a value. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AgentKit, policyOf, reach, startAgentKit } from "../support/agent-kit.ts";

const OLD = "canary-copy-of-the-old-one";
const NEW = "canary-copy-of-the-new-one";

let kit: AgentKit;
beforeEach(async () => {
  kit = await startAgentKit();
  await kit.enrol();
  kit.content(1, OLD);
  writeFileSync(
    join(kit.home, ".zshenv"),
    `# mine\nexport INTERNAL_AUTH_SECRET="${OLD}"\nexport MINE=my-own-password\n`,
  );
});
afterEach(() => kit.dispose());

const allow = (lines: string) => kit.allow(`${policyOf(join(kit.home, "app"), kit.file)}${lines}\n`);
const report = () => kit.server.reports.at(-1);

/** The report of a look that was asked for once nothing restarts any more. */
async function told(alsoCheck: string[] = []) {
  const content = kit.content(2, NEW, alsoCheck.length === 0 ? {} : { alsoCheck });
  kit.server.set({ ...content, look: "first" });
  kit.run(await kit.open());
  await reach("the start", () => report()?.units[0]?.state === "succeeded", kit.said);
  kit.server.set({ ...content, look: "second" });
  await reach("the look", () => report()?.look === "second", kit.said);
  expect(JSON.stringify(kit.server.reports)).not.toContain("canary-copy");
  expect(JSON.stringify(kit.server.reports)).not.toContain("my-own-password");
  return report();
}

it("a file that its owner does not name is not searched, and the line that would allow it is told", async () => {
  const { copies, refused } = (await told(["~/.zshenv"])) ?? {};
  expect(copies).toBeUndefined();
  expect(refused).toEqual([
    { what: "copies ~/.zshenv", reason: expect.any(String), add: "copies:\n  - ~/.zshenv\n" },
  ]);
});

it("a file that its owner names is searched, whether or not the server asks; lines and versions are told", async () => {
  allow('copies: ["~/.zshenv"]');
  const { copies, refused } = (await told()) ?? {};
  expect(refused).toEqual([]);
  expect(copies?.copies).toMatchObject([
    { file: "~/.zshenv", line: 2, key: "INTERNAL_AUTH_SECRET", version: 1, wins: false },
  ]);
});

it("what could not be searched is told with the reason", async () => {
  allow('copies: ["~/a-directory"]');
  mkdirSync(join(kit.home, "a-directory"));
  const { copies } = (await told(["~/a-directory"])) ?? {};
  expect(copies).toEqual({
    copies: [],
    unread: [{ file: "~/a-directory", reason: "it is not a plain file" }],
  });
});
