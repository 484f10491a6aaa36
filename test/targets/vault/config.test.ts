/** What lockstep.yaml may say of a path in Vault, and what is refused with the remedy. */
import { describe, expect, it } from "vitest";
import { makeSelfSigned } from "../../../src/adapters/crypto/self-signed.ts";
import {
  destinationOf,
  parseVault,
  placeOf,
  readConfig,
} from "../../../src/adapters/targets/vault/config.ts";
import { encodedPath, whyNotPlain } from "../../../src/adapters/targets/vault/plain-path.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import { isCredentialPath, withoutUnsent } from "../../../src/protocol/credentials.ts";

const base = {
  address: "https://vault.example.com:8200",
  mount: "kv",
  path: "apps/api",
  token: "hvs.0000",
};
const { token: _token, ...open } = base;
const [one, two] = [makeSelfSigned(new Date()), makeSelfSigned(new Date())];

function refusal(vault: object): LockstepError {
  try {
    parseVault({ vault });
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error(`it was taken: ${JSON.stringify(vault)}`);
}

describe("the configuration of a path in Vault", () => {
  it.each([
    ["no mount", { ...base, mount: undefined }, ["vault", "mount"], "missing"],
    ["an empty mount", { ...base, mount: "" }, ["vault", "mount"], "empty"],
    ["Vault's own mounts", { ...base, mount: "sys" }, ["vault", "mount"], "KV v2"],
    ["a mount with its slash", { ...base, mount: "kv/" }, ["vault", "mount"], "slash"],
    ["no path", { ...base, path: undefined }, ["vault", "path"], "missing"],
    ["a leading slash", { ...base, path: "/apps" }, ["vault", "path"], "slash"],
    ["a trailing slash", { ...base, path: "apps/" }, ["vault", "path"], "slash"],
    ["an empty segment", { ...base, path: "apps//api" }, ["vault", "path"], "two slashes"],
    ["a way out", { ...base, path: "apps/../other" }, ["vault", "path"], "`..`"],
    ["a dot", { ...base, path: "./apps" }, ["vault", "path"], "`.`"],
    ["a query", { ...base, path: "apps?version=2" }, ["vault", "path"], "plain text"],
    ["a fragment", { ...base, path: "apps#1" }, ["vault", "path"], "plain text"],
    ["an encoded slash", { ...base, path: "apps%2Fapi" }, ["vault", "path"], "encoded by hand"],
    ["half a character", { ...base, path: "apps/\ud800" }, ["vault", "path"], "Unicode"],
    ["a control character", { ...base, path: "apps/\u0007" }, ["vault", "path"], "printable"],
    ["a direction mark", { ...base, path: "apps/\u202eipa" }, ["vault", "path"], "printable"],
    ["a policy's wildcard", { ...base, path: "apps/*" }, ["vault", "path"], "wildcard"],
    ["a policy's template", { ...base, path: "apps/{{x}}" }, ["vault", "path"], "template"],
    ["the path of the API", { ...base, path: "data/apps/api" }, ["vault", "path"], "path: apps/api"],
    ["that of metadata", { ...base, path: "metadata/apps" }, ["vault", "path"], "path: apps"],
    ["all of it", { ...base, path: "v1/kv/data/apps" }, ["vault", "path"], "API"],
    ["the mount again", { ...base, path: "kv/data/apps" }, ["vault", "path"], "path: apps"],
    ["a path that is too long", { ...base, path: "é".repeat(257) }, ["vault", "path"], "512 bytes"],
    ["http elsewhere", { ...base, address: "http://vault.example.com:8200" }, ["vault", "address"], "https"],
    [
      "another scheme",
      { ...base, address: "ldap://vault.example.com" },
      ["vault", "address"],
      "https://HOST",
    ],
    ["no address", { ...base, address: "vault.example.com:8200" }, ["vault", "address"], "https://HOST"],
    ["an address with a path", { ...base, address: `${base.address}/v1` }, ["vault", "address"], "origin"],
    [
      "an address with a user",
      { ...base, address: "https://u:p@v.example.com" },
      ["vault", "address"],
      "user",
    ],
    [
      "a metadata service",
      { ...base, address: "https://169.254.169.254" },
      ["vault", "address"],
      "link-local",
    ],
    ["a token with a blank", { ...base, token: "hvs. 0" }, ["vault", "token"], "not a credential"],
    [
      "two ways in",
      { ...base, appRole: { roleId: "r", secretId: "s" } },
      ["vault", "appRole"],
      "keep the one",
    ],
    [
      "half of an AppRole",
      { ...open, appRole: { roleId: "r" } },
      ["vault", "appRole", "secretId"],
      "secret id",
    ],
    ["the other half", { ...open, appRole: { secretId: "s" } }, ["vault", "appRole", "roleId"], "role id"],
    [
      "a wrapped secret id of nobody",
      { ...open, appRole: { roleId: "r", wrappedSecretId: "w" } },
      ["vault", "appRole", "role"],
      "role's name",
    ],
    [
      "two secret ids",
      { ...open, appRole: { roleId: "r", secretId: "s", wrappedSecretId: "w", role: "x" } },
      ["vault", "appRole", "wrappedSecretId"],
      "keep one",
    ],
    ["the root namespace by name", { ...base, namespace: "root" }, ["vault", "namespace"], "leave it out"],
    ["a namespace that is no path", { ...base, namespace: "team/" }, ["vault", "namespace"], "slash"],
    ["a certificate that is none", { ...base, ca: "/etc/ca.pem" }, ["vault", "ca"], "PEM"],
    ["a folder that is no path", { ...base, discover: ["ok", "../x"] }, ["vault", "discover", 1], "`..`"],
    ["a wait of nothing", { ...base, requestTimeoutMs: 0 }, ["vault", "requestTimeoutMs"], "100"],
    ["an unknown key", { ...base, prune: true }, ["vault"], "prune"],
  ])("refuses %s, says where, and what to do", (_what, vault, path, says) => {
    const error = refusal(vault);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", details: { path } });
    expect(error.message).toContain(says);
    expect(error.message).not.toContain("hvs.");
  });

  it("refuses a private key in place of a certificate, and quotes nothing of it", () => {
    const error = refusal({ ...base, ca: one.privateKeyPem });
    expect(error.message).toContain("private key");
    expect(error.message).not.toContain(one.privateKeyPem.split("\n")[1]);
  });

  it("keeps credentials apart from what is stored openly", () => {
    const wrapped = { roleId: "role-0", wrappedSecretId: "wrap-0", role: "api", mount: "machines" };
    for (const login of [
      { token: "hvs.0000" },
      { appRole: { roleId: "role-0", secretId: "secret-0" } },
      { appRole: wrapped },
    ]) {
      const { config, credentials } = parseVault({ vault: { ...open, ...login } });
      for (const secret of Object.values(credentials ?? {}))
        expect(JSON.stringify(config)).not.toContain(String(secret));
      expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    }
    expect(parseVault({ vault: { ...open, appRole: wrapped } }).credentials).toEqual({
      roleId: "role-0",
      wrappedSecretId: "wrap-0",
    });
    // A stored one stays.
    expect(parseVault({ vault: open }).credentials).toBeNull();
  });

  it("takes references and marks in the credentials' fields alone", () => {
    for (const field of [
      ["token"],
      ["appRole", "roleId"],
      ["appRole", "secretId"],
      ["appRole", "wrappedSecretId"],
    ])
      expect(isCredentialPath(["targets", "team", "vault", ...field])).toBe(true);
    for (const field of [
      ["address"],
      ["mount"],
      ["path"],
      ["ca"],
      ["namespace"],
      ["appRole", "mount"],
      ["appRole", "role"],
    ])
      expect(isCredentialPath(["targets", "team", "vault", ...field])).toBe(false);
    const unsent = { unsent: "elsewhere" };
    const { target } = withoutUnsent({
      vault: { ...open, appRole: { roleId: unsent, secretId: unsent, mount: "m" } },
    });
    expect(parseVault(target)).toMatchObject({ credentials: null, config: { login: { mount: "m" } } });
  });

  it("binds a credential to server, namespace, path and authority", () => {
    const { certificatePem: certificate } = one;
    const { certificatePem: other } = two;
    const destinations = [
      {},
      { address: "https://vault.example.com" },
      { namespace: "team" },
      { mount: "secret" },
      { path: "apps/API" },
      { ca: certificate },
      { ca: other },
    ].map((more) => destinationOf(readConfig(parseVault({ vault: { ...base, ...more } }).config)));
    expect(new Set(destinations).size).toBe(destinations.length);
    const written = `text around\n${certificate}\n\n${certificate}`;
    expect(destinationOf(readConfig(parseVault({ vault: { ...base, ca: written } }).config))).toBe(
      destinations[5],
    );
  });

  it("names one place in one way, and two places in two", () => {
    const at = (more: object) => placeOf(readConfig(parseVault({ vault: { ...base, ...more } }).config));
    expect(at({ address: "https://VAULT.example.com:8200/" })).toBe(at({}));
    expect(at({ address: "https://vault.example.com:443" })).toBe(
      at({ address: "https://vault.example.com" }),
    );
    expect(at({ token: "hvs.other", label: false })).toBe(at({}));
    const places = [
      {},
      { path: "apps/Api" },
      { mount: "kv/apps", path: "api" },
      { namespace: "kv" },
      { path: "a:b" },
      { path: "a", mount: "kv:b" },
    ];
    expect(new Set(places.map(at)).size).toBe(places.length);
  });

  it("takes what is unusual and legal", () => {
    for (const path of [
      "a b",
      "ünï/🔑",
      "a+b",
      "a*b",
      "a&b=c",
      "100%",
      "a:b",
      "~x",
      "a..b",
      "database",
      "datax/metadatay",
    ])
      expect(whyNotPlain(path)).toBeNull();
    expect(encodedPath("a b/ü?")).toBe("a%20b/%C3%BC%3F");
    expect(readConfig(parseVault({ vault: { ...base, discover: ["/", "team"] } }).config).discover).toEqual([
      "",
      "team",
    ]);
  });
});
