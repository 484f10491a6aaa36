/** A path in Vault from lockstep.yaml on, through the command line and the loop: taken over, rotated, watched, looked around from. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { healPlaces } from "../../../src/app/drift/heal-places.ts";
import { withTarget } from "../../../src/app/targets/open-target.ts";
import { LOCAL_ADMIN_SCOPES } from "../../../src/core/access/permissions.ts";
import { credentialsAssociatedData } from "../../../src/core/associated-data.ts";
import { parseOrder } from "../../../src/core/order.ts";
import { type Ran, type RunOptions, runCli } from "../../support/cli-kit.ts";
import { useDatabase } from "../../support/database.ts";
import { answerOf, createHttpKit, type HttpKit } from "../../support/http-kit.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { MOUNT, VaultKit } from "./kit.ts";

const database = useDatabase();
const vault = new VaultKit();
let loop: LoopKit;
let context: AppContext;
let http: HttpKit;
let directory: string;
let env: Record<string, string>;
const said: string[] = [];
let url: string;
/** Of each test its own: what was seen at one is no word about another. */
let path: string;
let count = 0;

const WIDE = `path "${MOUNT}/*" { capabilities = ["create", "read", "update", "list"] }`;

const [FOUND, NEW, HAND] = ["canary-91aa-found", "canary-91aa-new", "canary-91aa-hand"] as const;

beforeAll(async () => {
  loop = createLoopKit(database());
  directory = await mkdtemp(join(tmpdir(), "lockstep-vault-"));
  await vault.start();
  context = loop.other({ targetKinds: new Map([["vault", vault.kind()]]), revisionMarker: true });
  http = await createHttpKit(context);
  url = (await http.server.listen(0)).url;
});
afterAll(async () => {
  await http.server.close();
  await vault.stop();
  await rm(directory, { recursive: true });
  expect(said.length).toBeGreaterThan(0);
  for (const text of said)
    for (const secret of [FOUND, NEW, HAND, vault.token]) expect(text).not.toContain(secret);
});

beforeEach(async () => {
  await loop.reset();
  count += 1;
  path = `apps/api-${count}`;
  vault.vault.policy("target", WIDE);
  env = {
    LOCKSTEP_URL: url,
    LOCKSTEP_TOKEN: await http.token(...LOCAL_ADMIN_SCOPES),
    VAULT_TOKEN: vault.token,
  };
});

async function cli(line: string, options: RunOptions = {}): Promise<Ran> {
  const ran = await runCli(line.split(" "), { ...options, env: { ...env, ...options.env } });
  said.push(ran.stdout, ran.stderr);
  return ran;
}

async function apply(settings = `token: "\${env:VAULT_TOKEN}"`, key = "AUTH"): Promise<Ran> {
  const file = join(directory, "lockstep.yaml");
  await writeFile(
    file,
    `environment: production
secrets:
  INTERNAL_AUTH_SECRET:
    bindings: [{ target: team-vault, role: caller, key: ${key} }]
targets:
  team-vault:
    vault: { address: "${vault.vault.address}", mount: ${MOUNT}, path: ${path}, ${settings} }
`,
  );
  return await cli(`apply --yes -f ${file}`);
}

async function rest(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await loop.hurry();
    await loop.drain(context);
  }
}

interface Status {
  readonly secrets: readonly {
    readonly name: string;
    readonly bindings: readonly {
      readonly state: string;
      readonly version: number | null;
      readonly evidence: string;
    }[];
  }[];
}

async function state(): Promise<unknown> {
  const { secrets } = (await cli("status --json")).json() as Status;
  return secrets.map(({ name, bindings }) => [
    name,
    ...bindings.map((one) => [one.state, one.version, one.evidence]),
  ]);
}

describe("a path in Vault", () => {
  it("is taken over as it stands, follows a new value, and is in sync with `stored`", async () => {
    vault.put({ AUTH: FOUND, THEIRS: "kept" }, path);
    expect((await apply()).exitCode).toBe(0);
    await rest();
    expect(vault.stored(path)).toMatchObject({ version: 1 });
    expect(await cli("import INTERNAL_AUTH_SECRET --from team-vault")).toMatchObject({ exitCode: 0 });
    await rest();
    // What stands there is right already.
    expect(vault.stored(path)).toMatchObject({ version: 1, data: { AUTH: FOUND } });
    expect(await state()).toEqual([["INTERNAL_AUTH_SECRET", ["in-sync", 1, "stored"]]]);

    expect((await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW })).exitCode).toBe(0);
    await rest();
    await rest();
    expect(await state()).toEqual([["INTERNAL_AUTH_SECRET", ["in-sync", 2, "stored"]]]);
    const { data, version } = vault.stored(path) ?? { data: {}, version: 0 };
    expect(data).toMatchObject({ AUTH: NEW, THEIRS: "kept" });
    expect(parseOrder(String(data["LOCKSTEP_REV"]))?.storeId).toBe(context.storeId);
    await rest();
    expect(vault.stored(path)?.version).toBe(version);
    expect(vault.vault.offences).toEqual([]);
  });

  it("is asked for by init, tried, and written down without the token", async () => {
    const file = join(directory, "init.yaml");
    const options = ["--vault-address", vault.vault.address, "--vault-mount", MOUNT, "--vault-path", path];
    const words = ["init", "--yes", "--force", "--value", "generate", "-f", file, ...options];
    const ran = await cli([...words, "--vault-role", "caller"].join(" "));
    expect(ran).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("ok: rights") });
    const written = await readFile(file, "utf8");
    expect(written).toContain('token: "${env:VAULT_TOKEN}"');
    expect(await cli(`apply --yes -f ${file}`)).toMatchObject({ exitCode: 0 });
    const refused = await cli([...words, "--vault-role", "caller"].join(" "), {
      env: { VAULT_TOKEN: "hvs.wrong" },
    });
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Cannot use the path in Vault"),
    });
    said.push(written);
  });

  it("whose version was deleted says so to plan and import", async () => {
    vault.put({ AUTH: FOUND }, path);
    vault.vault.request("DELETE", `${MOUNT}/data/${path}`);
    await apply();
    const refused = await cli("import INTERNAL_AUTH_SECRET --from team-vault");
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain(
      "it holds no value: version 1 of the path was deleted, and can be brought back",
    );
    expect((await cli(`plan -f ${join(directory, "lockstep.yaml")}`)).stdout).toContain(
      "version 1 of the path was deleted",
    );
    vault.vault.request("POST", `${MOUNT}/undelete/${path}`, { versions: [1] });
    expect(await cli("import INTERNAL_AUTH_SECRET --from team-vault")).toMatchObject({ exitCode: 0 });
  });

  it("that somebody changed by hand is named, and healed by one command", async () => {
    await apply();
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW });
    await rest();
    expect(await state()).toEqual([["INTERNAL_AUTH_SECRET", ["in-sync", 1, "stored"]]]);
    vault.put({ ...vault.stored(path)?.data, AUTH: HAND }, path);
    expect(await cli("check")).toMatchObject({ exitCode: 3, stdout: expect.stringContaining("foreign") });
    await healPlaces(context, TESTER, { target: "team-vault" });
    await rest();
    expect(vault.stored(path)?.data["AUTH"]).toBe(NEW);
    vault.vault.request("DELETE", `${MOUNT}/data/${path}`);
    expect(await cli("check")).toMatchObject({ exitCode: 3, stdout: expect.stringContaining("missing") });
  });

  it("is shared by two targets with keys of their own, and not with one key", async () => {
    const file = join(directory, "two.yaml");
    const shared = (keys: readonly string[]) => {
      const at = `{ address: "${vault.vault.address}", mount: ${MOUNT}, path: ${path}, token: "\${env:VAULT_TOKEN}" }`;
      const targets = keys.map((_key, index) => `  t${index}: { vault: ${at} }`);
      const secrets = keys.map(
        (key, index) => `  S${index}: { bindings: [{ target: t${index}, role: caller, key: ${key} }] }`,
      );
      return `secrets:\n${secrets.join("\n")}\ntargets:\n${targets.join("\n")}\n`;
    };
    await writeFile(file, shared(["SAME", "SAME"]));
    const refused = await cli(`apply --yes -f ${file}`);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stdout + refused.stderr).toContain("SAME");
    await writeFile(file, shared(["ONE", "TWO"]));
    expect((await cli(`apply --yes -f ${file}`)).exitCode).toBe(0);
    for (const value of [FOUND, NEW]) {
      for (const secret of ["S0", "S1"]) await cli(`secret set ${secret}`, { stdin: value });
      await rest();
    }
    await rest();
    // One mark for both: each goes above what the other left.
    expect(vault.stored(path)?.data).toMatchObject({ ONE: NEW, TWO: NEW });
    expect(await state()).toEqual([
      ["S0", ["in-sync", 2, "stored"]],
      ["S1", ["in-sync", 2, "stored"]],
    ]);
  });

  it("that could not be reached catches up by itself", async () => {
    await apply();
    vault.vault.become("sealed");
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW });
    await rest();
    expect(vault.stored(path)).toBeNull();
    vault.vault.become("active");
    await rest();
    expect(vault.stored(path)?.data["AUTH"]).toBe(NEW);
  });

  it("is tested, looked around from, and tells what a token lacks", async () => {
    await apply(`discover: ["/"], token: "\${env:VAULT_TOKEN}"`);
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW });
    await rest();
    expect(await cli("target test team-vault")).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("refuses older writes"),
    });
    vault.put({ COPY: NEW }, "forgotten/worker");
    const found = answerOf("discover", (await cli("discover --json")).json());
    expect(found.places.filter(({ name }) => name.includes("forgotten"))).toMatchObject([
      {
        name: `path ${MOUNT}/forgotten/worker`,
        key: "COPY",
        secret: "INTERNAL_AUTH_SECRET",
        holds: "current",
      },
    ]);
    vault.vault.policy("target", `path "${MOUNT}/data/${path}" { capabilities = ["read"] }`);
    const tested = await cli("target test team-vault");
    expect(tested.exitCode).not.toBe(0);
    expect(tested.stdout).toContain(
      `path "${MOUNT}/data/${path}" { capabilities = ["create", "read", "update"] }`,
    );
  });

  it("whose token ends soon is told by doctor before it ends", async () => {
    env["VAULT_TOKEN"] = vault.vault.token({ policies: ["target"], ttl: 3_600, renewable: false });
    await apply();
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW });
    await rest();
    await cli("target test team-vault");
    const doctor = await cli("doctor");
    expect(doctor.stdout).toContain("ends for good in");
    expect(doctor.stdout).toContain("team-vault");
  });

  it("keeps what a wrapped secret id became, through restarts and the same file again", async () => {
    const role = vault.vault.approle("api", { token_policies: ["target"], token_ttl: "1h" });
    env["ROLE_ID"] = role.roleId;
    env["WRAPPED"] = role.wrappedSecretId();
    const settings = `appRole: { roleId: "\${env:ROLE_ID}", wrappedSecretId: "\${env:WRAPPED}", role: api }`;
    expect((await apply(settings)).exitCode).toBe(0);
    const stale = await context.store.read.targets.findByName("production", "team-vault");
    if (stale === null) throw new Error("no target");
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: NEW });
    await rest();
    expect(await state()).toEqual([["INTERNAL_AUTH_SECRET", ["in-sync", 1, "stored"]]]);
    const found = await context.store.read.targets.findByName("production", "team-vault");
    const { id = "", credentialsSealed = "", config, kind } = found ?? {};
    const destination = context.targetKinds.get(kind ?? "")?.destination(config ?? {}) ?? "";
    const kept = JSON.parse(
      await context.sealer.open(credentialsSealed ?? "", credentialsAssociatedData(id, destination)),
    );
    expect(Object.keys(kept).sort()).toEqual(["roleId", "secretId", "unwrappedFrom"]);
    const audit = await loop.rows<{ action: string }>(
      "select action from audit_entry where action = 'target.credential_kept'",
    );
    expect(audit).toHaveLength(1);

    const restarted = loop.other({
      targetKinds: new Map([["vault", vault.kind(true, true)]]),
      revisionMarker: true,
    });
    // Another process, which had read the row before: it comes back to what is kept.
    const late = withTarget(restarted, stale, (target) => target.observe([], new AbortController().signal));
    await expect(late).rejects.toMatchObject({ code: "TARGET_UNAVAILABLE" });
    await database().pool.query("update target set generation = generation + 1, next_action_at = now()");
    await loop.drain(restarted);
    // The same file once more plans nothing, and takes nothing back.
    expect((await apply(settings)).stdout).toContain("No changes.");
    await cli("secret set INTERNAL_AUTH_SECRET", { stdin: HAND });
    await rest();
    expect(vault.stored(path)?.data["AUTH"]).toBe(HAND);
    expect(vault.vault.calls.list({ path: "sys/wrapping/unwrap" })).toHaveLength(1);
    said.push(JSON.stringify(vault.vault.calls.list()));
  });
});
