/** What is shipped for production keeps the promises of the threat model. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROOT } from "./imports.ts";

interface Service {
  readonly ports?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly ulimits?: { readonly core: number };
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
}

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const compose = parse(read("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: { readonly inside: { readonly internal: boolean } };
};

describe("docker-compose.yml", () => {
  test("publishes the API on loopback, and no other port", () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    );
    expect(published).toEqual(["server 127.0.0.1:7420:7420"]);
  });

  test.each(Object.entries(compose.services))(
    "%s gains no privileges and dumps no core",
    (_name, service) => {
      expect(service.security_opt).toEqual(["no-new-privileges:true"]);
      expect(service.cap_drop).toEqual(["ALL"]);
      expect(service.ulimits).toEqual({ core: 0 });
    },
  );

  test.each(Object.entries(compose.services))(
    "%s gets credentials as files alone",
    (_name, { environment = {} }) => {
      const named = Object.keys(environment).filter((key) => /URL|PASSWORD|KEY|TOKEN/.test(key));
      expect(named.filter((key) => !key.endsWith("_FILE"))).toEqual([]);
    },
  );

  test("the stores are reachable from inside alone", () => {
    expect(compose.networks.inside.internal).toBe(true);
    expect([compose.services["postgres"]?.networks, compose.services["redis"]?.networks]).toEqual([
      ["inside"],
      ["inside"],
    ]);
  });
});

describe("what is there for agents", () => {
  const overlay = parse(read("deploy/agents.compose.yml")) as { readonly services: Record<string, Service> };
  const unit = read("deploy/systemd/lockstep-server-agents.conf");

  test("publishes their listener alone, and only where it is wanted", () => {
    expect(Object.keys(overlay.services)).toEqual(["server"]);
    expect(overlay.services["server"]?.ports).toEqual(["7421:7421"]);
    expect(read("docker-compose.yml")).not.toContain("7421");
    expect(read("deploy/systemd/lockstep-server.service")).not.toContain("7421");
  });

  test("says what agents dial, which no container can know", () => {
    expect(overlay.services["server"]?.environment?.["LOCKSTEP_AGENT_URL"]).toContain(":?");
    expect(unit).toMatch(/^Environment=.*LOCKSTEP_AGENT_URL=https:/m);
  });
});

describe("what is there for Vault", () => {
  const overlay = parse(read("deploy/vault.compose.yml"), { merge: true }) as {
    readonly services: Readonly<Record<string, Service>>;
  };
  const policies = ["key-ring", "value-store", "target", "own-token"].map(
    (name) => [name, read(`deploy/vault/policies/${name}.hcl`)] as const,
  );

  test("its server is confined, and speaks with Lockstep alone", () => {
    const { vault } = overlay.services;
    expect(Object.values(overlay.services).flatMap(({ ports = [] }) => ports)).toEqual([]);
    expect(vault).toMatchObject({
      networks: ["inside"],
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      ulimits: { core: 0 },
    });
    expect(JSON.stringify(vault)).not.toMatch(/-dev|DEV_/);
    expect(read("deploy/vault/vault.hcl")).not.toMatch(/tls_disable|storage "inmem"/);
  });

  test.each(["migrate", "server", "worker"])("%s gets its role as files alone", (name) => {
    const named = Object.keys(overlay.services[name]?.environment ?? {}).filter((key) =>
      /TOKEN|ROLE_ID|SECRET_ID/.test(key),
    );
    expect(named).toEqual(["LOCKSTEP_VAULT_ROLE_ID_FILE", "LOCKSTEP_VAULT_SECRET_ID_FILE"]);
  });

  test.each(policies)("the policy %s names no more than its own paths", (_name, policy) => {
    const paths = [...policy.matchAll(/^path "([^"]+)"/gm)].map(([, path]) => path);
    expect(paths.length).toBeGreaterThan(1);
    expect(paths.filter((path) => !/^(?:secret|transit|auth\/token|sys)\/[a-z-]+/.test(path ?? ""))).toEqual(
      [],
    );
    expect(policy).not.toMatch(/sudo|"\*"|path "transit\/[^"]*" \{ capabilities = \[[^\]]*"create"/);
  });
});

test.each(["server", "worker", "migrate"])(
  "the systemd unit of %s is confined and gets credentials loaded",
  (role) => {
    const unit = read(`deploy/systemd/lockstep-${role}.service`);
    expect(unit).toContain(`dist/main.js ${role}\n`);
    for (const line of [
      "NoNewPrivileges=yes",
      "LimitCORE=0",
      "ProtectSystem=strict",
      "LoadCredential=root-key:",
    ]) {
      expect(unit).toContain(line);
    }
    expect(unit).not.toMatch(/^Environment=.*(?:PASSWORD|TOKEN|DATABASE_URL=|REDIS_URL=)/m);
  },
);

test("the image runs as an unprivileged user", () => {
  expect(read("deploy/Dockerfile")).toMatch(/^USER lockstep$/m);
});
