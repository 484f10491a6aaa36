/** What init writes: the same answers come back from the file, whatever names and paths are made of. */
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findReferences, resolveReference } from "../../src/edges/cli/config-file/references.ts";
import { parseYaml } from "../../src/edges/cli/config-file/yaml-source.ts";
import type { HostAnswers, RailwayAnswers, VaultAnswers } from "../../src/edges/cli/init/answers.ts";
import { renderConfig } from "../../src/edges/cli/init/render.ts";
import { TargetNames } from "../../src/edges/cli/init/target-names.ts";
import { writeConfigFile } from "../../src/edges/cli/init/write-file.ts";
import { targetName } from "../../src/protocol/config.ts";

const hostile = fc.string({
  unit: fc.constantFrom(
    ..."ab/~.${}:#'\"\\ \n\r\t-,[]&*!|>%@`é\u0000\u001b\u202e",
    "${env:RAILWAY_TOKEN}",
    "$${",
    "\ntargets:",
  ),
  maxLength: 40,
});
const line = hostile.map((text) => `/${text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "")}`);

const railway: fc.Arbitrary<RailwayAnswers> = fc.record({
  kind: fc.constant("railway"),
  target: fc.constantFrom("api", "on", "null", "vps-1", "1.2", "y"),
  role: fc.constantFrom("verifier", "caller", "both"),
  project: line,
  environment: line,
  service: line,
  endpoint: fc.option(line),
  names: fc.option(fc.record({ project: hostile, environment: hostile, service: hostile })),
});

const host: fc.Arbitrary<HostAnswers> = fc.record({
  kind: fc.constant("ssh"),
  target: fc.constant("host"),
  role: fc.constantFrom("verifier", "caller", "both"),
  host: line,
  port: fc.integer({ min: 1, max: 65_535 }),
  user: fc.constantFrom("deploy", "no", "a.b"),
  hostKey: line,
  keyFile: fc.constantFrom("~/.ssh/id_ed25519", "/keys/deploy key"),
  withPassphrase: fc.boolean(),
  path: line,
  format: fc.constantFrom("dotenv", "systemd"),
  unit: fc.option(fc.record({ manager: fc.constantFrom("systemd", "launchd"), name: line })),
});

const vault: fc.Arbitrary<VaultAnswers> = fc.record({
  kind: fc.constant("vault"),
  target: fc.constant("team-vault"),
  role: fc.constantFrom("verifier", "caller", "both"),
  address: line,
  mount: line,
  path: line,
  namespace: fc.option(line),
});

async function readBack(text: string): Promise<unknown> {
  const source = parseYaml("lockstep.yaml", text);
  expect(source.problems).toEqual([]);
  const surroundings = {
    env: { RAILWAY_TOKEN: "the token", SSH_KEY_PASSPHRASE: "the passphrase", VAULT_TOKEN: "the Vault token" },
    homeDirectory: "/nonexistent",
    workingDirectory: "/nonexistent",
  };
  const { value, references, problems } = findReferences(source.value, source.file);
  expect(problems).toEqual([]);
  const filled = await Promise.all(
    [...references].map(async ([mark, one]) => [mark, await resolveReference(one, surroundings)] as const),
  );
  const textOf = (node: unknown) => {
    const found = filled.find(([mark]) => mark === node);
    return found === undefined ? node : typeof found[1] === "string" ? found[1] : "";
  };
  return JSON.parse(JSON.stringify(value, (_key, node: unknown) => textOf(node)));
}

test("every answer comes back as it was given, and no name becomes a key, a comment's end or a reference", async () => {
  await fc.assert(
    fc.asyncProperty(railway, host, vault, async (service, machine, there) => {
      const text = renderConfig({
        environment: "production",
        secret: { name: "API_KEY", value: "generate" },
        targets: [service, machine, there],
      });
      expect(await readBack(text)).toEqual({
        environment: "production",
        secrets: {
          API_KEY: {
            generate: { random: { bytes: 32, encoding: "base64url" } },
            bindings: [
              { target: service.target, role: service.role },
              { target: "host", role: machine.role },
              { target: "team-vault", role: there.role },
            ],
          },
        },
        targets: {
          [service.target]: {
            railway: {
              project: service.project,
              environment: service.environment,
              service: service.service,
              token: "the token",
              ...(service.endpoint === null ? {} : { endpoint: service.endpoint }),
            },
          },
          host: {
            ssh: {
              host: machine.host,
              port: machine.port,
              user: machine.user,
              hostKey: machine.hostKey,
              // The file is not there: what refers to it resolves to nothing here.
              privateKey: "",
              ...(machine.withPassphrase ? { passphrase: "the passphrase" } : {}),
            },
            files: [{ path: machine.path, format: machine.format }],
            ...(machine.unit === null ? {} : { activate: { [machine.unit.manager]: machine.unit.name } }),
          },
          "team-vault": {
            vault: {
              address: there.address,
              mount: there.mount,
              path: there.path,
              token: "the Vault token",
              ...(there.namespace === null ? {} : { namespace: there.namespace }),
            },
          },
        },
      });
      // Comments hold nothing that a terminal obeys.
      expect(
        [...text].filter((character) => /[\p{Cc}\p{Cf}]/u.test(character) && character !== "\n"),
      ).toEqual([]);
    }),
  );
});

test("names of targets are made from whatever places call themselves, and each is taken once", () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 20 }), (wanted) => {
      const names = new TargetNames();
      const made = wanted.map((name) => names.take(names.near(name, "railway")));
      expect(new Set(made).size).toBe(made.length);
      for (const name of made) expect(targetName.safeParse(name).success).toBe(true);
    }),
  );
});

describe("the file", () => {
  let directory: string;
  let path: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-init-file-"));
    path = join(directory, "lockstep.yaml");
  });
  afterAll(() => rm(directory, { recursive: true }));
  beforeEach(async () => {
    for (const name of await readdir(directory)) await rm(join(directory, name));
  });

  test("that came up while questions were asked is kept", async () => {
    await writeFile(path, "mine");
    await expect(writeConfigFile(path, "ours", { replace: false, shown: path })).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await readdir(directory)).toEqual(["lockstep.yaml"]);
  });

  test("is replaced when that is meant, and a link is replaced instead of followed", async () => {
    const elsewhere = join(directory, "elsewhere");
    await writeFile(elsewhere, "mine");
    await symlink(elsewhere, path);
    await writeConfigFile(path, "ours", { replace: true, shown: path });
    expect(await readFile(path, "utf8")).toBe("ours");
    expect(await readFile(elsewhere, "utf8")).toBe("mine");
  });

  test("is readable by everybody under any umask", async () => {
    const before = process.umask(0o077);
    try {
      await writeConfigFile(path, "ours", { replace: false, shown: path });
    } finally {
      process.umask(before);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o644);
  });

  test("that cannot be written is told, and leaves nothing behind", async () => {
    const missing = join(directory, "missing", "lockstep.yaml");
    await expect(writeConfigFile(missing, "ours", { replace: false, shown: missing })).rejects.toMatchObject({
      code: "CONFIG_UNREADABLE",
    });
    expect(await readdir(directory)).toEqual([]);
  });
});
