import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { agentKind } from "../../../src/adapters/targets/agent/target.ts";
import { policyPlace } from "../../../src/edges/agent/open-agent.ts";
import {
  checkPolicy,
  type PolicyRequest,
  type PolicyVerdict,
  requestOf,
} from "../../../src/edges/agent/policy/check-policy.ts";
import {
  draftPolicy,
  explainPolicy,
  mergedAdditions,
} from "../../../src/edges/agent/policy/explain-policy.ts";
import { NO_POLICY, type Policy, parsePolicy } from "../../../src/edges/agent/policy/policy.ts";
import { resolveActivation } from "../../../src/edges/agent/policy/resolve-activation.ts";
import { bundle, policyRefusal } from "../../../src/protocol/agent/messages.ts";
import { unitName } from "../../../src/protocol/agent/unit-name.ts";

const place = { home: "/home/app", policyPath: "/home/app/.config/lockstep/agent-policy.yaml" };
const policy = parsePolicy(
  `files:
  - /etc/app/env
  - path: ~/app/*
    formats: [dotenv, json]
  - path: /etc/app/shared
    mode: "0640"
units: [app.service, com.example.app]
commands:
  reload: [/usr/bin/app, reload]
environment: [TOKEN]
steeringKeys: [NODE_PATH]
probes: ["http://127.0.0.1:8080/ping", "http://[::1]:9000/app/*"]
counts: [~/app/usage.json]
`,
  "policy.yaml",
);
const nothing: PolicyRequest = {
  files: [],
  units: [],
  commands: [],
  environment: [],
  urls: [],
  counts: [],
  authorities: [],
  copies: [],
};

function refused(verdict: PolicyVerdict): readonly string[] {
  return verdict.allowed ? [] : verdict.refusals.map(({ what, reason }) => `${what}: ${reason}`);
}
const file = (path: string, format = "dotenv", keys = ["TOKEN"], mode = "0600"): PolicyRequest => ({
  ...nothing,
  files: [{ path, format, keys, mode }],
});

describe("the host's policy", () => {
  it.each([
    [file("/etc/app/env", "systemd")],
    [file("~/app/.env")],
    [file("/home/app/app/config.json", "json", ["gateway.path"])],
    [file("/etc/app/env", "systemd", ["NODE_PATH"])],
    [file("/home/app/app/config.json", "json", ["PATH"])],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "0640")],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "600")],
    [{ ...nothing, units: ["app.service", "com.example.app"], commands: ["reload"], environment: ["TOKEN"] }],
    [{ ...nothing, urls: ["http://127.0.0.1:8080/ping", "http://[::1]:9000/app/x?y=1"] }],
    [{ ...nothing, counts: ["/home/app/app/usage.json"] }],
    [nothing],
  ])("allows %j", (request) => {
    expect(checkPolicy(policy, request, place)).toEqual({ allowed: true });
  });

  it.each([
    [file("/etc/app/env2"), "file /etc/app/env2"],
    [file("/etc/app/../shadow"), "file /etc/app/../shadow"],
    [file("~/app/deeper/.env"), "file ~/app/deeper/.env"],
    [file("~/app/.env", "raw"), "file ~/app/.env"],
    [file("/etc/app/env", "raw"), "for the formats dotenv, systemd alone, not raw"],
    [file("/etc/app/env", "json"), "not json"],
    [file("/etc/app/env", "shell"), "not shell"],
    [file("/etc/app/env", "plist"), "not plist"],
    [file("/etc/app/env", "dotenv", ["TOKEN"], "0640"), "does not let a group read it"],
    [file("~/app/.env", "json", ["TOKEN"], "0640"), "does not let a group read it"],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "0666"), "its mode 0666"],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "0644"), "its mode 0644"],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "0660"), "its mode 0660"],
    [file("/etc/app/shared", "dotenv", ["TOKEN"], "4600"), "its mode 4600"],
    [file("/etc/app/env", "dotenv", ["HTTPS_PROXY"]), "leads a program's requests"],
    [file("/home/app/.config/lockstep/agent-policy.yaml"), "file /home/app/.config"],
    [file("~/.lockstep/x.order"), "file ~/.lockstep"],
    [file("/etc/app/env", "systemd", ["LD_PRELOAD"]), "variable LD_PRELOAD"],
    [file("/etc/app/env", "systemd", ["node_options"]), "variable node_options"],
    [{ ...nothing, units: ["sshd.service"] }, "unit sshd.service"],
    [{ ...nothing, commands: ["rm"] }, "command rm"],
    [{ ...nothing, commands: ["constructor"] }, "command constructor"],
    [{ ...nothing, environment: ["OTHER"] }, "variable OTHER"],
    [{ ...nothing, urls: ["http://127.0.0.1:8080/ping/x"] }, "probe http://127.0.0.1:8080/ping/x"],
    [{ ...nothing, urls: ["http://127.0.0.1:8080/ping?all"] }, "probe http"],
    [{ ...nothing, urls: ["http://[::1]:9000/app/../admin"] }, "probe http"],
    [{ ...nothing, urls: ["http://[::1]:9000/app/%2e%2e/admin"] }, "probe http"],
    [{ ...nothing, urls: ["http://[::1]:9000/application"] }, "probe http"],
    [{ ...nothing, urls: ["http://127.0.0.1:8080@192.0.2.1/ping"] }, "probe http"],
    [{ ...nothing, counts: ["/etc/shadow"] }, "counts /etc/shadow"],
    [{ ...nothing, counts: ["/home/app/app/../app/usage.json"] }, "counts /home"],
  ])("refuses %j", (request, what) => {
    const found = refused(checkPolicy(policy, request, place));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(what);
  });

  it("never lets the agent's own files be written, whatever it allows", () => {
    const wide: Policy = {
      ...policy,
      files: [{ path: "/home/app/.config/lockstep/*" }, { path: "/home/app/.lockstep/*" }],
    };
    for (const path of [
      "~/.config/lockstep/agent-policy.yaml",
      "~/.lockstep/identity",
      "~/.LOCKSTEP/identity",
    ]) {
      expect(refused(checkPolicy(wide, file(path), place))).toHaveLength(1);
    }
  });

  it("a policy in the home itself takes itself out of it, and allows the files that it names there", () => {
    const own = parsePolicy("files: [~/.env, ~/agent-policy.yaml]\n", "policy.yaml");
    const inHome = { home: "/home/app", policyPath: "/home/app/agent-policy.yaml" };
    expect(checkPolicy(own, file("~/.env"), inHome)).toEqual({ allowed: true });
    expect(checkPolicy(own, file("/home/app/.env"), inHome)).toEqual({ allowed: true });
    expect(refused(checkPolicy(own, file("~/agent-policy.yaml"), inHome))[0]).toContain("not for bundles");
    expect(refused(checkPolicy(own, file("~/.lockstep/identity"), inHome))).toHaveLength(1);
    const atRoot = { home: "/", policyPath: "/etc/agent-policy.yaml" };
    expect(checkPolicy(own, file("/.env"), atRoot)).toEqual({ allowed: true });
    const system = parsePolicy("files: [/etc/app/env]\n", "policy.yaml");
    expect(checkPolicy(system, file("/etc/app/env"), atRoot)).toEqual({ allowed: true });
  });

  it("ruling 2: says of a wider mode what to add, and of the world's rights that nothing can allow them", () => {
    const verdict = checkPolicy(policy, file("/etc/app/env", "systemd", ["TOKEN"], "0640"), place);
    const text = explainPolicy({ path: "/p", text: "", policy }, verdict.allowed ? [] : verdict.refusals);
    expect(text).toContain('- path: /etc/app/env\n    formats:\n      - systemd\n    mode: "0640"\n');
    const world = checkPolicy(policy, file("/etc/app/shared", "dotenv", ["TOKEN"], "0666"), place);
    expect(world.allowed ? [] : world.refusals.map(({ add }) => add)).toEqual(["Nothing can allow this."]);
    for (const mode of ["0644", "0660", "0666", "0777"])
      expect(() => parsePolicy(`files: [{ path: /etc/app/env, mode: "${mode}" }]\n`, "p")).toThrow("mode");
  });

  it("without a file allows nothing but the environment of a program that a person starts", () => {
    expect(refused(checkPolicy(NO_POLICY, file("~/app/.env"), place))).toHaveLength(1);
    expect(checkPolicy(NO_POLICY, { ...nothing, environment: ["TOKEN"] }, place)).toEqual({ allowed: true });
    expect(refused(checkPolicy(NO_POLICY, { ...nothing, environment: ["PATH"] }, place))).toHaveLength(1);
  });

  it("is satisfied by the lines that its own refusals print", () => {
    const path = fc.constantFrom(
      "/etc/other/env",
      "~/x: #y/.env",
      "/srv/'q'/a b",
      '/srv/"q"/é',
      "/srv/*a/- x",
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            path,
            format: fc.constantFrom("dotenv", "raw"),
            keys: fc.constant(["A", "PATH"]),
            mode: fc.constantFrom("0600", "0640"),
          }),
        ),
        fc.subarray(["app.service", "web@1.service", "com.example.web"]),
        fc.subarray(["B", "LD_PRELOAD"]),
        (files, units, environment) => {
          const request = {
            files: files.filter(({ path: one }) => !one.includes("*")),
            units,
            environment,
            commands: ["go"],
            urls: ["http://localhost:3000/a?b=1", "http://127.0.0.1"],
            counts: ["/run/x: #y/usage.json"],
            authorities: ["~/x: #y/.env"],
            copies: ["~/.zsh: #env"],
          };
          const verdict = checkPolicy(policy, request, place);
          if (verdict.allowed) throw new Error("the command go was allowed");
          for (const one of verdict.refusals) expect(policyRefusal.safeParse(one).success).toBe(true);
          const added = parsePolicy(mergedAdditions(verdict.refusals), "added");
          const together: Policy = {
            files: [...policy.files, ...added.files],
            units: [...policy.units, ...added.units],
            commands: { ...policy.commands, ...added.commands },
            environment: Array.isArray(added.environment) ? added.environment : true,
            steeringKeys: added.steeringKeys,
            probes: added.probes,
            counts: added.counts,
            authorities: added.authorities,
            copies: added.copies,
          };
          expect(checkPolicy(together, request, place)).toEqual({ allowed: true });
        },
      ),
    );
  });

  it("keeps a bundle's words from steering the terminal", () => {
    const verdict = checkPolicy(
      policy,
      { ...nothing, units: ["\u001b[2Jx\u202e"], commands: ["a\nunits: [evil.service]"] },
      place,
    );
    if (verdict.allowed) throw new Error("allowed");
    const text = explainPolicy({ path: "/p", text: "files: []\n", policy }, verdict.refusals);
    for (const character of ["\u001b", "\u202e"]) expect(text).not.toContain(character);
    expect(Object.keys(parse(mergedAdditions(verdict.refusals)) as object)).toEqual(["units", "commands"]);
    expect((parse(mergedAdditions(verdict.refusals)) as { units: string[] }).units).not.toContain(
      "evil.service",
    );
  });
});

describe("explaining", () => {
  it("shows the file and the merged lines to add", () => {
    const request = { ...file("/srv/a"), units: ["b.service", "c.service"] };
    const verdict = checkPolicy(policy, request, place);
    const text = explainPolicy(
      { path: "/etc/lockstep/agent-policy.yaml", text: "files: []\n", policy },
      verdict.allowed ? [] : verdict.refusals,
    );
    expect(text).toContain("unit b.service: the policy does not let it be restarted");
    expect(text).toContain("units:\n  - b.service\n  - c.service\n");
    expect(text).toContain("add to /etc/lockstep/agent-policy.yaml");
  });

  it("says what holds without a file", () => {
    expect(explainPolicy({ path: "/p", text: null, policy: NO_POLICY }, [])).toContain("/p does not exist");
  });

  describe("of a unit of the agent's own user", () => {
    const own = { unit: "app.service", user: true } as const;
    const request = { ...nothing, units: [own] };
    const allowing = parsePolicy("units: [{ unit: app.service, user: true }]\n", "policy.yaml");

    it("names it as a unit of its own: the system's of the same name allows nothing, nor the other way", () => {
      expect(checkPolicy(allowing, request, place)).toEqual({ allowed: true });
      expect(refused(checkPolicy(policy, request, place))).toEqual([
        "unit app.service (user): the policy does not let it be restarted or signalled",
      ]);
      expect(refused(checkPolicy(allowing, { ...nothing, units: ["app.service"] }, place))).toHaveLength(1);
    });

    it("prints the lines that allow it", () => {
      const verdict = checkPolicy(policy, request, place);
      if (verdict.allowed) throw new Error("it was allowed");
      const widened = parsePolicy(mergedAdditions(verdict.refusals), "policy.yaml");
      expect(widened.units).toEqual([own]);
      expect(checkPolicy(widened, request, place)).toEqual({ allowed: true });
      expect(parsePolicy(draftPolicy(request), "policy.yaml").units).toEqual([own]);
    });

    it("is refused by an agent that runs as root, whatever the policy says", () => {
      const asRoot = { ...place, isRoot: true };
      const verdict = checkPolicy(allowing, request, asRoot);
      expect(refused(verdict)).toEqual([
        "unit app.service (user): this agent runs as root, and a user's unit belongs to the manager of that user",
      ]);
      expect(verdict.allowed ? "" : verdict.refusals[0]?.add).toContain("Run an agent as that user");
      expect(checkPolicy(policy, { ...nothing, units: ["app.service"] }, asRoot)).toEqual({ allowed: true });
      const settings = {
        homeDirectory: "/home/app",
        stateDirectory: "/var/lib/app",
        policyFile: null,
        enrolmentFile: null,
        env: {},
      };
      expect(policyPlace(settings).isRoot).toBe(process.geteuid?.() === 0);
    });

    it("comes from a bundle as it is configured, and is restarted as such", () => {
      const activate = { systemd: own, timeoutSeconds: 60 };
      const empty = { files: [], health: null, slots: [], pruned: [] };
      expect(bundle.shape.activate.parse(activate)).toEqual(activate);
      expect(requestOf({ ...empty, activate }).units).toEqual([own]);
      expect(resolveActivation({ activate, health: null }, allowing).activate).toEqual(activate);
      expect(unitName(activate)).toBe("systemd-user:app.service");
      expect(unitName({ ...activate, systemd: "app.service" })).toBe("systemd:app.service");
      const { config } = agentKind.parse({
        agent: {},
        files: [{ path: "~/app/.env", format: "dotenv" }],
        activate: { systemd: own },
      });
      expect(agentKind.units?.(config, "id").at(-1)).toMatchObject({
        key: "agent:id:systemd-user:app.service",
        name: "systemd:app.service (user)",
      });
      expect(agentKind.capabilities(config)).toMatchObject({ maxEvidence: "deployed" });
    });
  });

  it("drafts a first policy that allows the target's files and units, and leaves commands to a person", () => {
    const request = { ...file("~/app/.env"), units: ["app.service"], commands: ["go"] };
    const drafted = parsePolicy(draftPolicy(request), "draft");
    expect(refused(checkPolicy(drafted, request, place))).toEqual([
      "command go: the policy has no command of that name",
    ]);
    expect(draftPolicy(request)).toContain("#   go: [/absolute/path/of/program]");
  });
});

describe("a bundle's names", () => {
  const bundle = {
    files: [{ path: "~/app/.env", format: "dotenv", mode: "0600" }],
    activate: { command: "reload", timeoutSeconds: 30 },
    health: { command: "reload", withinSeconds: 5 },
    slots: [],
    pruned: [],
  };
  it("become the host's own words", () => {
    expect(requestOf(bundle)).toMatchObject({ commands: ["reload", "reload"], units: [] });
    const { activate, health } = resolveActivation(bundle, policy);
    expect(activate?.command).toEqual(["/usr/bin/app", "reload"]);
    expect(health?.command).toEqual(["/usr/bin/app", "reload"]);
    const signalled = {
      activate: { signal: { unit: "app.service", name: "HUP" }, timeoutSeconds: 5 },
      health: null,
    };
    expect(resolveActivation(signalled, policy).activate?.signal).toEqual({
      unit: "app.service",
      name: "HUP",
    });
    expect(requestOf({ ...bundle, ...signalled }).units).toEqual(["app.service"]);
  });

  it("whose command leaves the program with the old value are refused, unless the owner says otherwise", () => {
    const asked = requestOf({ ...bundle, activate: { command: "again", timeoutSeconds: 1 }, health: null });
    const own = (more: string, words = '["/usr/bin/docker", "compose", "restart", "app"]') =>
      parsePolicy(`files: ["~/app/.env"]\ncommands: { again: ${words} }\n${more}`, "p");
    const verdict = checkPolicy(own(""), asked, place);
    expect(refused(verdict)).toEqual([
      expect.stringMatching(
        /^command again: `docker compose restart` leaves its program with the old value: /,
      ),
    ]);
    expect(JSON.stringify(verdict)).toContain("docker compose up -d --force-recreate SERVICE");
    const add = verdict.allowed ? "" : (verdict.refusals[0]?.add ?? "");
    expect(checkPolicy(own(add), asked, place)).toEqual({ allowed: true });
    expect(checkPolicy(own("", '["/srv/app/restart"]'), asked, place)).toEqual({ allowed: true });
    // Its program reads such a file itself.
    const raw = { ...asked, files: [], restart: { command: "again", formats: ["raw", "json"] } };
    expect(checkPolicy(own(""), raw, place)).toEqual({ allowed: true });
  });

  it.each([["unknown"], ["constructor"]])("that the policy lacks run nothing: %s", (command) => {
    expect(() =>
      resolveActivation({ activate: { command, timeoutSeconds: 1 }, health: null }, policy),
    ).toThrow(expect.objectContaining({ code: "POLICY_REFUSED" }));
  });

  it.each([
    [{ timeoutSeconds: 1 }],
    [{ systemd: "-x", timeoutSeconds: 1 }],
    [{ signal: { unit: "app.service", name: "KILL" }, timeoutSeconds: 1 }],
  ])("that are no activation are refused: %j", (activate) => {
    expect(() => resolveActivation({ activate, health: null }, policy)).toThrow(
      expect.objectContaining({ code: "BUNDLE_REFUSED" }),
    );
  });
});

describe("a policy's text", () => {
  it.each([
    ["files: [relative/env]", 1, "absolute path"],
    ["files:\n  - /etc/*", 2, "would allow every file"],
    ["files:\n  - ~/*", 2, "would allow every file"],
    ["files:\n  - /*", 2, "would allow every file"],
    ["files:\n  - /srv/*/env", 2, "absolute path"],
    ["files:\n  - /srv/**", 2, "absolute path"],
    ["files:\n  - /srv/../etc/env", 2, "absolute path"],
    ["files:\n  - path: /srv/env\n    formats: [toml]", 3, "Invalid"],
    ["units: [app]\nunits: [b]", 2, "not valid YAML"],
    ["units:\n  - '*.service'", 2, "must be"],
    ["units:\n  - { unit: app.service, user: deploy }", 2, "must be true"],
    ["units:\n  - { unit: app.service }", 2, "must be true"],
    ["commands:\n  go: sh -c evil", 2, "must be"],
    ["commands:\n  go: [sh]", 2, "absolute path"],
    ["environment: yes please", 1, "`environment` must be boolean"],
    ["environment:\n  - A B", 2, "not a variable's name"],
    ["file: []", 1, "does not know file"],
    ["a: &x [1]\nunits: *x", 1, "aliases"],
    ["- files", 1, "must be"],
  ])("%j is refused with its line", (text, line, words) => {
    expect(() => parsePolicy(text, "p.yaml")).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(() => parsePolicy(text, "p.yaml")).toThrow(`p.yaml, line ${line}`);
    expect(() => parsePolicy(text, "p.yaml")).toThrow(words);
  });

  it("that is empty allows nothing", () => {
    expect(parsePolicy("# nothing yet\n", "p.yaml").files).toEqual([]);
  });
});
