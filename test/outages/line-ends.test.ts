/** What an editor on Windows leaves behind: each line ends with a carriage return too. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { playOutages } from "./outage.ts";
import { SECRET, textOf, VPS_KEY, type World } from "./world.ts";

const TOKEN = "app/token";
const START = "app/start-env.sh";
const at = (world: World, file: string) => join(world.sshd.home, file);
const onWindows = (path: string) =>
  writeFileSync(path, readFileSync(path, "utf8").replace(/\r?\n|(?<![\r\n])$/g, "\r\n"));
const onUnix = (path: string) => writeFileSync(path, readFileSync(path, "utf8").replaceAll("\r\n", "\n"));
const heal = new RegExp(`^lockstep heal --target vps --secret ${SECRET}$`);

playOutages(
  [
    {
      name: "a file that is the value alone is saved on Windows",
      breaks: (world) => onWindows(at(world, TOKEN)),
      finding: { id: "hand-edit", target: "vps" },
      says: /vps, \S+token, key token: holds v2 with a line break at its end .*should hold v2[\s\S]*it is v2 with a line break at its end/,
      command: heal,
      tidies: async (world) => expect(textOf(at(world, TOKEN))).toBe(`${await world.current()}\n`),
    },
    {
      name: "a file that a start script sources is saved on Windows",
      breaks: (world) => onWindows(at(world, START)),
      finding: { id: "unreachable", target: "vps", severity: "cannot-tell" },
      says: /start-env\.sh\b.* Windows line ends, which shells take for a part of values\. Take them out there: `sed -i/,
      command: /^lockstep target test vps$/,
      fixes: (world) => onUnix(at(world, START)),
    },
  ],
  (world) => {
    it("files whose readers take both line ends are right, and stay as their editor left them", async () => {
      for (const file of [world().files.vps, world().files.mini]) {
        writeFileSync(file, `# ours\nOTHER=1\n${textOf(file)}`);
        onWindows(file);
      }
      const { answer } = await world().doctor();
      expect(answer.findings).toEqual([]);
      await world().cli(`secret set ${SECRET}`, { stdin: "canary-next-88f1-dddddddd" });
      await world().rest();
      expect(textOf(world().files.vps)).toBe(
        `# ours\r\nOTHER=1\r\n${VPS_KEY}="canary-next-88f1-dddddddd"\r\n`,
      );
      expect(textOf(world().files.mini)).toBe(
        `# ours\r\nOTHER=1\r\n${SECRET}='canary-next-88f1-dddddddd'\r\n`,
      );
      expect((await world().doctor()).answer.findings).toEqual([]);
    });
  },
  {
    prepare: ({ host }) => writeFileSync(join(host, TOKEN), "\n", { mode: 0o600 }),
    config({ environments: { production } }, { host }) {
      const files = production.targets["vps"]?.["files"] as object[];
      files.push({ path: join(host, TOKEN), format: "raw" }, { path: join(host, START), format: "shell" });
      const [first] = files as { path: string }[];
      const { bindings } = production.secrets[SECRET] ?? { bindings: [] };
      for (const binding of bindings.filter(({ target }) => target === "vps")) binding["file"] = first?.path;
      bindings.push(
        { target: "vps", role: "caller", key: "token", file: join(host, TOKEN) },
        { target: "vps", role: "caller", key: "AUTH", file: join(host, START) },
      );
    },
  },
);
