/**
 * `lockstep init` as a newcomer runs it: against a real `lockstep up`, a simulated Railway and a real sshd; what it
 * wrote is planned and applied. Its refusals write nothing, and no credential shows anywhere.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { INSTANT, type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { type Answer, type Ran, type RunOptions, runCli } from "../support/cli-kit.ts";
import { PROGRAM } from "../support/program-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

const TOKEN = "canary-7e31-railway-token";
const PASSPHRASE = "canary-7e31-passphrase";

describe.skipIf(lacks("sshd"))("lockstep init", () => {
  const root = mkdtempSync(join(tmpdir(), "lockstep-init-"));
  const home = join(root, "home");
  const data = join(root, "data");
  const said: string[] = [];
  let directory: string;
  let up: ChildProcess;
  let railway: RailwaySimulator;
  let sshd: RunningSshd;
  let fingerprint: string;

  beforeAll(async () => {
    railway = await startRailwaySimulator({ durations: INSTANT, defaults: { projectToken: TOKEN } });
    for (const name of ["api", "web"]) {
      await railway.state.addService({ name, variables: { INTERNAL_AUTH_SECRET: "in-use" } });
    }
    sshd = await startSshd();
    mkdirSync(join(sshd.home, "app"), { mode: 0o700 });
    const key = Buffer.from(sshd.hostKey.split(" ")[1] ?? "", "base64");
    fingerprint = `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

    mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
    writeFileSync(join(home, ".ssh", "id_ed25519"), sshd.clientKey.privateKey, { mode: 0o600 });
    writeFileSync(join(home, ".ssh", "known_hosts"), "nothing\n");
    const locked = join(home, ".ssh", "locked");
    // One round of its slow key derivation: what opens the key here is JavaScript, which takes 0.6 s for the usual ones.
    execFileSync("ssh-keygen", ["-q", "-a", "1", "-t", "ed25519", "-N", PASSPHRASE, "-C", "", "-f", locked]);
    sshd.authorize(readFileSync(`${locked}.pub`, "utf8").trim());

    up = spawn(process.execPath, [PROGRAM, "up", "--port", "0"], {
      env: { PATH: process.env["PATH"], HOME: home, LOCKSTEP_DATA: data, LOCKSTEP_LOG_LEVEL: "debug" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    up.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    if (up.stdout === null) throw new Error("no output");
    for await (const line of createInterface(up.stdout)) if (line.includes("running at")) break;
    up.stdout.resume();
  });
  afterAll(async () => {
    up.kill("SIGTERM");
    if (up.exitCode === null) await once(up, "exit");
    await railway.close();
    await sshd.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });
  beforeEach(() => {
    directory = mkdtempSync(join(root, "work-"));
    vi.stubEnv("HOME", home);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  const file = () => join(directory, "lockstep.yaml");
  const written = () => readFileSync(file(), "utf8");

  async function lockstep(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await runCli(argv, { ...options, env: { LOCKSTEP_DATA: data, ...options.env } });
    said.push(ran.stdout, ran.stderr);
    return ran;
  }
  const init = (more: readonly string[], options: RunOptions = {}) =>
    lockstep(["init", "-f", file(), "--railway-endpoint", railway.url, ...more], options);

  const withToken = { env: { RAILWAY_TOKEN: TOKEN } };
  const sshOptions = () => [
    ...["--ssh-host", sshd.host, "--ssh-port", String(sshd.port), "--ssh-user", sshd.user],
    ...["--ssh-key", "~/.ssh/id_ed25519", "--ssh-fingerprint", fingerprint],
    ...["--ssh-file", "~/app/env", "--ssh-role", "caller", "--ssh-target", "vps"],
  ];
  const OPENING: readonly Answer[] = [
    ["Environment", ""],
    ["First secret", ""],
    ["Where does INTERNAL_AUTH_SECRET come from?", "1"],
  ];

  test("asks, looks up, tries, and writes a file that plans and applies", async () => {
    const ran = await init([], {
      answers: [
        ...OPENING,
        ["Does a service on Railway use INTERNAL_AUTH_SECRET?", "y"],
        ["Railway token (not shown)", TOKEN],
        ["Which services use", "1,web"],
        ["What does api do", "verifier"],
        ["What does web do", "2"],
        ["over SSH use it?", "y"],
        ["Host (name or address)", sshd.host],
        ["Port", String(sshd.port)],
        ["Is this what its owner sees there", "y"],
        ["User", sshd.user],
        ["Private key that logs in", "1"],
        ["Its name here", "vps"],
        ["File on 127.0.0.1", "~/app/env"],
        ["Its format", "dotenv"],
        ["systemd unit", ""],
        ["What does vps do", "caller"],
        ["Another host over SSH?", "n"],
        ["that cannot be reached from outside", "n"],
        ["from Vault or OpenBao", "n"],
      ],
    });
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.stderr).toContain(`The host shows ${fingerprint}`);
    expect(ran.stderr).toContain("ok: logged in as");
    expect(ran.stdout).toContain("+ create target production/vps");
    expect(ran.stdout).toMatch(
      /Next:\n {2}read -rs RAILWAY_TOKEN && export RAILWAY_TOKEN .*\n {2}lockstep plan/,
    );
    // Both services hold the same value: nothing is left to choose.
    expect(ran.stdout).toMatch(/ {2}lockstep import INTERNAL_AUTH_SECRET +#/);

    expect((statSync(file()).mode & 0o777).toString(8)).toBe("644");
    expect(written()).toContain('token: "${env:RAILWAY_TOKEN}"');
    expect(written()).toContain('privateKey: "${file:~/.ssh/id_ed25519}"');
    expect(readdirSync(directory)).toEqual(["lockstep.yaml"]);

    const applied = await lockstep(["apply", "--yes", "-f", file()], withToken);
    expect(applied.exitCode).toBe(0);
    expect((await lockstep(["plan", "-f", file()], withToken)).exitCode).toBe(0);
    expect((await lockstep(["import", "INTERNAL_AUTH_SECRET", "--from", "api"])).exitCode).toBe(0);
    await untilHolds(join(sshd.home, "app", "env"), "INTERNAL_AUTH_SECRET='in-use'");
  });

  test("a machine that nobody can dial is written down, planned, and how it enrols is told", async () => {
    const ran = await init([], {
      answers: [
        ["Environment", "home"],
        ["First secret", "API_KEY"],
        ["Where does API_KEY come from?", "generate"],
        ["on Railway", "n"],
        ["over SSH use it?", "n"],
        ["that cannot be reached from outside", "y"],
        ["Name of the machine", "mac-mini"],
        ["File on mac-mini", "~/app/.env"],
        ["Its format", "dotenv"],
        ["What to restart afterwards", "com.example.app"],
        ["What does mac-mini do", "caller"],
        ["Another such machine?", "n"],
        ["from Vault or OpenBao", "n"],
      ],
    });
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.stdout).toContain("+ create target home/mac-mini");
    expect(ran.stdout).toContain("  lockstep agent invite mac-mini");
    expect(written()).toContain('activate: { launchd: "com.example.app" }');
    expect((await lockstep(["apply", "--yes", "-f", file()])).exitCode).toBe(0);
    const planned = await lockstep(["plan", "-f", file()]);
    expect(planned).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("lockstep agent invite mac-mini"),
    });
  });

  test("does the same in a script, without a question", async () => {
    const ran = await init(
      ["--yes", "--json", "--value", "generate", "--railway-service", "api=verifier", "web", ...sshOptions()],
      withToken,
    );
    expect(ran).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining("?") });
    expect(ran.json()).toMatchObject({
      file: file(),
      targets: ["api", "web", "vps"],
      unchecked: [],
      todo: [],
      plan: { problems: [] },
    });
    expect(written()).toContain("- { target: web, role: both }");
    expect(ran.stdout).toContain("lockstep secret generate INTERNAL_AUTH_SECRET");
  });

  test("finds project and environment by name where an account's token reaches several", async () => {
    const { projectId } = await railway.state.addProject({ name: "shop" });
    const { environmentId } = await railway.state.addEnvironment({ name: "staging", projectId });
    await railway.state.addService({ name: "checkout", environmentId });
    const env = { RAILWAY_TOKEN: railway.defaults.accountToken };
    const named = ["--railway-project", "shop", "--railway-service", "checkout=caller"];
    expect((await init(["--yes", "-e", "staging", ...named], { env })).exitCode).toBe(0);
    expect(written()).toContain(`environment: "${environmentId}"`);
    expect(written()).toContain("# Service checkout of project shop, environment staging.");

    const unnamed = await init(["--yes", "--force", "--railway-service", "checkout"], { env });
    expect(unnamed).toMatchObject({ exitCode: 64 });
    expect(unnamed.stderr).toContain("--railway-project is missing");
    const mistyped = await init(["--yes", "--force", "--railway-project", "shopp"], { env });
    expect(mistyped.stderr).toContain('Did you mean "shop"?');
  });

  test("asks for the passphrase of an encrypted key, and writes down where it comes from", async () => {
    const changed = { "~/.ssh/id_ed25519": "~/.ssh/locked", "~/app/env": "~/app/other" };
    const options = sshOptions().map(
      (word) => Object.entries(changed).find(([old]) => old === word)?.[1] ?? word,
    );
    const ran = await init(["--yes", "-e", "locked", ...options], {
      env: { SSH_KEY_PASSPHRASE: PASSPHRASE },
    });
    expect(ran.exitCode).toBe(0);
    expect(written()).toContain('passphrase: "${env:SSH_KEY_PASSPHRASE}"');
    const without = await init(["--yes", "--force", ...options]);
    expect(without).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("SSH_KEY_PASSPHRASE") });
  });

  test("says what the host still lacks, and writes all the same", async () => {
    const options = sshOptions().map((word) => (word === "~/app/env" ? "/nonexistent/app/env" : word));
    const ran = await init(["--yes", ...options]);
    expect(ran.stdout).toMatch(/To do: 127\.0\.0\.1, file \/nonexistent\/app\/env: .*mkdir -p -m 0700/);
    expect(written()).toContain("/nonexistent/app/env");
  });

  describe("writes nothing", () => {
    test("over an existing file, unless told", async () => {
      writeFileSync(file(), "mine\n");
      expect(await init(["--yes"])).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("error ALREADY_EXISTS"),
      });
      const asked = await init([], { answers: [["already exists. Replace it?", ""]] });
      expect(asked).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Nothing was written.") });
      expect(written()).toBe("mine\n");
      expect((await init(["--yes", "--force", "-e", "empty"])).exitCode).toBe(0);
      expect(written()).not.toContain("mine");
    });

    test("with a token that Railway refuses", async () => {
      const ran = await init(["--yes", "--railway-service", "api"], {
        env: { RAILWAY_TOKEN: "canary-7e31-refused" },
      });
      expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
      expect(ran.stderr).toMatch(/error TARGET_CREDENTIAL_REJECTED: .*\nfix: Make a token/);
    });

    test("without the token in the environment", async () => {
      const ran = await init(["--yes", "--railway-service", "api"]);
      expect(ran.stderr).toContain("RAILWAY_TOKEN is not set");
    });

    test("for a host that does not answer", async () => {
      const options = sshOptions().map((word) => (word === String(sshd.port) ? "9" : word));
      expect((await init(["--yes", ...options])).stderr).toContain("error TARGET_UNREACHABLE");
    });

    test("for a host key that is not the expected one, or that a person does not know", async () => {
      const options = sshOptions().map((word) => (word === fingerprint ? "SHA256:another" : word));
      expect((await init(["--yes", ...options])).stderr).toContain("error TARGET_HOST_KEY");
      const asked = await init(["--ssh-host", sshd.host, "--ssh-port", String(sshd.port)], {
        answers: [
          ...OPENING,
          ["on Railway", "n"],
          ["Is this what its owner sees there", "n"],
          ["Try again with another address?", "n"],
        ],
      });
      expect(asked).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("was not trusted") });
      const unasked = sshOptions().filter((word) => !["--ssh-fingerprint", fingerprint].includes(word));
      expect((await init(["--yes", ...unasked])).stderr).toContain("nobody has compared");
    });

    test("for a login that the host refuses", async () => {
      const options = sshOptions().map((word) => (word === sshd.user ? "nobody-of-here" : word));
      expect((await init(["--yes", ...options])).stderr).toContain("was refused");
    });

    test("for a key file that is none", async () => {
      for (const [path, words] of [
        ["~/.ssh/known_hosts", "not a private key"],
        ["~/.ssh/absent", "does not exist"],
      ]) {
        const options = sshOptions().map((word) => (word === "~/.ssh/id_ed25519" ? (path ?? "") : word));
        expect((await init(["--yes", ...options])).stderr).toContain(words);
      }
    });

    test("without a terminal and without --yes", async () => {
      expect(await init([])).toMatchObject({ exitCode: 64, stderr: expect.stringContaining("--yes") });
    });

    test("when it is interrupted", async () => {
      const ran = await init([], { types: "\n\u0003" });
      expect(ran).toMatchObject({ exitCode: 130, stderr: expect.stringContaining("it was interrupted") });
    });

    afterEach(() => {
      if (existsSync(file())) expect(written()).not.toContain("railway:");
    });
  });

  test("a person may try again after a mistake", async () => {
    const ran = await init([], {
      answers: [
        ["Environment", "Produktion!"],
        ["Environment", "staging"],
        ["First secret", "API_KEY"],
        ["Where does API_KEY come from?", "generate"],
        ["on Railway", "y"],
        ["Railway token", "canary-7e31-mistyped"],
        ["Try again with another token?", ""],
        ["Railway token", TOKEN],
        ["Which services use", "9"],
        ["Choose", "all"],
        ["What does api do", ""],
        ["What does web do", ""],
        ["over SSH use it?", ""],
        ["that cannot be reached from outside", ""],
        ["from Vault or OpenBao", ""],
      ],
    });
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toContain("It is not a name for an environment.");
    expect(written()).toMatch(/^environment: staging$/m);
  });

  test("without a server it writes the answers down, and says what was not checked", async () => {
    const ran = await init(
      [
        ...[
          "--yes",
          "--railway-project",
          "p-1",
          "--railway-environment",
          "e-1",
          "--railway-service",
          "s-1=caller",
        ],
        ...[
          ...sshOptions(),
          "--ssh-host-key",
          sshd.hostKey,
          "--agent",
          "mac-mini",
          "--agent-file",
          "~/app/.env",
        ],
        ...["--agent-unit", "com.example.app"],
        ...["--vault-address", "https://vault.example.com:8200", "--vault-path", "apps/api"],
      ],
      { env: { LOCKSTEP_DATA: join(root, "nothing-here") } },
    );
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toContain("nothing can be looked up or tested");
    expect(ran.stdout).toContain("Not checked: that the Railway token reaches");
    expect(ran.stdout).toContain("Not checked: that the token reaches secret/apps/api in Vault");
    expect(written()).toContain('token: "${env:VAULT_TOKEN}"');
    expect(ran.stdout).toMatch(
      /Next:\n {2}read -rs RAILWAY_TOKEN .*\n {2}read -rs VAULT_TOKEN .*\n {2}lockstep up .*\n(?:.*\n)* {2}lockstep agent invite mac-mini/,
    );
    expect(written()).toContain("agent: {}");
    expect(written()).toContain("activate: { launchd:");
  });

  test("no credential stands in an output, the server's log or data, or a file that was written", () => {
    const secrets = [TOKEN, PASSPHRASE, "canary-7e31", sshd.clientKey.privateKey.split("\n")[2] ?? ""];
    expect(said.join("").length).toBeGreaterThan(2_000);
    for (const secret of secrets) {
      expect(said.filter((text) => text.includes(secret))).toEqual([]);
      for (const path of filesBelow(root)) {
        if (path.startsWith(join(home, ".ssh"))) continue;
        expect(`${path} ${readFileSync(path).includes(secret)}`).toBe(`${path} false`);
      }
    }
  });
});

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

async function untilHolds(path: string, text: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!existsSync(path) || !readFileSync(path, "utf8").includes(text)) {
    if (Date.now() > deadline) throw new Error(`${path} does not hold it in time`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
