import { describe, expect, it } from "vitest";
import { clockWords } from "../../../src/adapters/targets/ssh/probe.ts";
import { sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import type { LockstepError } from "../../../src/core/errors.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { lacks } from "../../support/servers.ts";
import { generateKey } from "../../support/sshd.ts";

it("names a host's clock that is off by a minute or more, and how far", () => {
  const now = 1_900_000_000_000;
  const said = (seconds: number) => `${now / 1_000 + seconds}\n`;
  for (const seconds of [-60, -1, 0, 30, 59]) {
    expect(clockWords(said(seconds), now, now), String(seconds)).toContain("the same as here");
  }
  expect(clockWords(said(-7_201), now, now)).toContain("WRONG by 2 h: the host's clock is behind");
  expect(clockWords(said(7_200), now, now)).toContain("WRONG by 2 h: the host's clock is ahead of");
  // A slow answer is no wrong clock.
  expect(clockWords(said(0), now, now + 600_000)).toContain("the same as here");
  expect(clockWords(said(600), now, now + 600_000)).toContain("the same as here");
  for (const nonsense of ["", "+%s\n", "Mon Jan  1\n", "1e9\n"]) {
    expect(clockWords(nonsense, now, now)).toContain("does not say");
  }
});

describe.skipIf(lacks("sshd"))("the configuration of a host over SSH", () => {
  const hostKey = generateKey().publicKey;
  const { privateKey } = generateKey();
  const ssh = { host: "VPS.example.com", user: "deploy", hostKey: `${hostKey} root@vps`, privateKey };
  const files = [{ path: "/etc/app/env", format: "dotenv" }];

  function refusal(raw: unknown): LockstepError {
    try {
      sshKind.parse(raw);
    } catch (error) {
      return error as LockstepError;
    }
    throw new Error("it was accepted");
  }

  it("keeps the key apart, and stores host, pin and files openly", () => {
    const { config, credentials } = sshKind.parse({ ssh, files });
    expect(credentials).toEqual({ privateKey });
    expect(JSON.stringify(config)).not.toContain(privateKey.split("\n")[1]);
    expect(config).toMatchObject({ ssh: { host: "vps.example.com", port: 22, user: "deploy", hostKey } });
  });

  it("names a destination that changes with address, user, pin and jump host", () => {
    const other = generateKey().publicKey;
    const jump = { host: "jump.example.com", user: "hop", hostKey: other, privateKey };
    const destinations = [
      { ssh, files },
      { ssh: { ...ssh, port: 2222 }, files },
      { ssh: { ...ssh, user: "root" }, files },
      { ssh: { ...ssh, host: "other.example.com" }, files },
      { ssh: { ...ssh, hostKey: other }, files },
      { ssh: { ...ssh, jump }, files },
      { ssh: { ...ssh, jump: { ...jump, hostKey } }, files },
    ].map((raw) => sshKind.destination(sshKind.parse(raw).config));
    expect(new Set(destinations).size).toBe(destinations.length);
    expect(destinations[0]).toBe(`ssh://deploy@vps.example.com:22 ${hostKey}`);
  });

  it("names places globally: two targets with one file collide", () => {
    const place = (raw: unknown) =>
      sshKind.locationKey(sshKind.parse(raw).config, "/etc/app/env", {
        environment: "production",
        name: "vps",
      });
    expect(place({ ssh, files })).toBe("ssh:vps.example.com:22:/etc/app/env");
    expect(place({ ssh: { ...ssh, user: "other", host: "vps.EXAMPLE.com" }, files })).toBe(
      place({ ssh, files }),
    );
  });

  it("says of an account with SFTP alone that it is unfenced, and refuses to restart there", () => {
    const fenced = sshKind.parse({ ssh, files }).config;
    expect(sshKind.capabilities(fenced)).toMatchObject({ conditionalWrite: true, inFlightMs: 0 });
    const sftp = sshKind.parse({ ssh: { ...ssh, sftpOnly: true }, files }).config;
    expect(sshKind.capabilities(sftp)).toMatchObject({ conditionalWrite: false, inFlightMs: 150_000 });
    const raw = { ssh: { ...ssh, sftpOnly: true }, files, activate: { systemd: "app.service" } };
    expect(refusal(raw).details).toEqual({ path: ["activate"] });
  });

  it.each([
    ["an unknown key", { ssh: { ...ssh, password: "x" }, files }],
    ["a fingerprint in place of the whole key", { ssh: { ...ssh, hostKey: "SHA256:abcdef" }, files }],
    [
      "a type that differs from the key",
      { ssh: { ...ssh, hostKey: hostKey.replace("ssh-ed25519", "ssh-rsa") }, files },
    ],
    ["a user that would be an option", { ssh: { ...ssh, user: "-oProxyCommand" }, files }],
    ["no file", { ssh, files: [] }],
    ["a file that climbs", { ssh, files: [{ path: "/etc/../env", format: "dotenv" }] }],
    ["two spellings of one file", { ssh, files: [{ path: "/etc//env", format: "dotenv" }] }],
    ["a mode for everybody", { ssh, files: [{ path: "/etc/env", format: "dotenv", mode: "0644" }] }],
    ["a reader of another format", { ssh, files: [{ ...files[0], reader: "docker" }] }],
    [
      "a reader of a format that has one alone",
      { ssh, files: [{ ...files[0], format: "json", reader: "node" }] },
    ],
    ["whose newline it is, of no raw file", { ssh, files: [{ ...files[0], newline: true }] }],
    ["another way of writing", { ssh, files: [{ ...files[0], write: "append" }] }],
    [
      "writing in place with SFTP alone",
      { ssh: { ...ssh, sftpOnly: true }, files: [{ ...files[0], write: "in-place" }] },
    ],
    ["a key that is none", { ssh: { ...ssh, privateKey: "nonsense canary" }, files }],
    ["a public key", { ssh: { ...ssh, privateKey: hostKey }, files }],
    ["a jump host without its key", { ssh: { ...ssh, jump: { host: "j", user: "u", hostKey } }, files }],
  ])("refuses %s, with the path to it and without the key", (_name, raw) => {
    const error = refusal(raw);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(Array.isArray(error.details["path"])).toBe(true);
    expect(`${error.message} ${error.hint}`).not.toMatch(/canary/);
    expect(`${error.message} ${error.hint}`).not.toContain(privateKey.split("\n")[1]);
  });

  it("keeps whose reading, whose newline and which way of writing are meant", () => {
    const given = [
      { path: "/etc/app/.env", format: "dotenv", reader: "compose", write: "in-place", mode: "0600" },
      { path: "/etc/app/docker.env", format: "env-file", reader: "docker", write: "replace", mode: "0600" },
      { path: "/etc/app/key", format: "raw", newline: true, mode: "0600" },
    ];
    expect(sshKind.parse({ ssh, files: given }).config).toMatchObject({ files: given });
    const at = (path: string, key = "KEY") => ({ placement: path, key });
    const { config } = sshKind.parse({ ssh, files: given });
    const value = SecretValue.of("it's $5");
    sshKind.assertHoldable(config, at("/etc/app/docker.env"), value);
    expect(() => sshKind.assertHoldable(config, at("/etc/app/.env"), value)).toThrow(
      /compose would not read it/,
    );
  });

  it.each([
    ["a line of known_hosts", `vps.example.com ${hostKey}`, "leave out the host's name"],
    ["a hashed line of known_hosts", `|1|abc=|def= ${hostKey}`, "leave out the host's name"],
    ["an authority's line", `@cert-authority *.example.com ${hostKey}`, "certificates of hosts are not used"],
    ["a revoked key's line", `@revoked * ${hostKey}`, "revoked"],
    ["a host's certificate", "ssh-ed25519-cert-v01@openssh.com AAAA", "pin the host's own key"],
    ["a fingerprint", "SHA256:abcdef", "it is a fingerprint"],
    ["several lines", `${hostKey}\n${generateKey().publicKey}`, "more than one line"],
    ["a DSA key", "ssh-dss AAAA", "DSA keys are not used"],
  ])("says what to do with %s in place of a host key", (_name, given, why) => {
    expect(refusal({ ssh: { ...ssh, hostKey: given }, files }).message).toContain(why);
  });

  it("takes a bare IPv6 address, and says how to write another", () => {
    const { config } = sshKind.parse({ ssh: { ...ssh, host: "2001:DB8::1" }, files });
    expect(sshKind.destination(config)).toBe(`ssh://deploy@2001:db8::1:22 ${hostKey}`);
    for (const host of [
      "[2001:db8::1]",
      "[2001:db8::1]:22",
      "fe80::1%eth0",
      "vps.example.com:22",
      "deploy@vps",
    ]) {
      expect(refusal({ ssh: { ...ssh, host }, files }).message, host).toContain("without brackets and zone");
    }
  });

  it("refuses a locked key without its passphrase, and with a wrong one", () => {
    const locked = generateKey("ed25519", "right").privateKey;
    expect(refusal({ ssh: { ...ssh, privateKey: locked }, files }).message).toContain("passphrase");
    expect(refusal({ ssh: { ...ssh, privateKey: locked, passphrase: "wrong" }, files }).message).toContain(
      "passphrase",
    );
    expect(
      sshKind.parse({ ssh: { ...ssh, privateKey: locked, passphrase: "right" }, files }).credentials,
    ).toEqual({
      privateKey: locked,
      passphrase: "right",
    });
  });
});
