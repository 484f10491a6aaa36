/** DATABASE_URL and REDIS_URL as people write them: read right, or refused in words that hold nothing of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { storeConnection } from "../../src/composition/connections.ts";
import { type LockstepError, toLockstepError } from "../../src/core/errors.ts";
import { readSettings } from "../../src/settings/settings.ts";

function database(url: string, env: Record<string, string> = {}) {
  const settings = readSettings({}, { DATABASE_URL: url, ...env });
  if (settings.database === null) throw new Error("no database");
  return storeConnection(settings.database);
}

function redis(url: string, env: Record<string, string> = {}) {
  const { redis: read } = readSettings({}, { REDIS_URL: url, ...env });
  return read === null ? null : { ...read, password: read.password?.reveal() ?? null };
}

function refusal(work: () => unknown): LockstepError {
  try {
    work();
  } catch (error) {
    return toLockstepError(error);
  }
  throw new Error("it was not refused");
}

/** As somebody's provider may make them: every one of these stood for "a defect of Lockstep" or another host. */
const RAW_PASSWORDS = [
  "100%",
  "50%off!",
  "a#b",
  "a/b",
  "a?b",
  "a@b",
  "a b",
  "a:b",
  "p@ss/wo#rd?x:y",
  "//@@##",
  "12/34",
  "?x=1&y=2",
  "ü€𝄞",
  "a\\b",
  "[x]",
  "a+b",
  "=&,;",
];

describe("a password", () => {
  it.each(RAW_PASSWORDS)("may be written as it is: %s", (password) => {
    expect(database(`postgres://app:${password}@db.example.com:5433/lockstep`)).toMatchObject({
      host: "db.example.com",
      port: 5_433,
      user: "app",
      password,
      database: "lockstep",
    });
    expect(redis(`redis://:${password}@cache:6380/3`)).toMatchObject({
      host: "cache",
      port: 6_380,
      user: null,
      password,
      database: 3,
    });
  });

  it.each(RAW_PASSWORDS)("may be escaped: %s", (password) => {
    const escaped = encodeURIComponent(password);
    expect(database(`postgres://app:${escaped}@db/lockstep?sslmode=disable`)).toMatchObject({ password });
    expect(redis(`redis://app:${escaped}@cache`)).toMatchObject({ user: "app", password });
  });

  it.each([
    ["half of it is escaped", "postgres://app:canary%20100%@db/x", /escaped .* and a part is not/, /%25/],
    ["an escape beside a raw slash", "postgres://app:can/ary%41@db/x", /escaped .* and a part is not/, /%2F/],
    ["escapes of another encoding", "postgres://app:canary%e9@db/x", /UTF-8/, /%25/],
    ["a line break", "postgres://app:can\nary@db/x", /line break/, /%0A/],
    ["a tab", "postgres://app:can\tary@db/x", /line break, a tab/, /%09/],
    [
      "an @ behind the address as well",
      "postgres://app:canary@db/x?application_name=me@home",
      /two ways/,
      /%40/,
    ],
    ["no host at all", "postgres://app:canary@", null, null],
    ["a port that is none", "postgres://app:canary@db:543x/x", /port/, /5432/],
    ["a port out of range", "postgres://app:canary@db:70000/x", /port/, /5432/],
    ["two hosts", "postgres://app:canary@a:1,b:2/x", /several hosts/, /takes writes/],
    ["a fragment", "postgres://app:canary@db/x#canary", /#/, /%23/],
    ["an unknown parameter", "postgres://app:canary@db/x?canary=1", /behind \?/, /sslmode/],
    ["a parameter twice", "postgres://app:canary@db/x?sslmode=disable&sslmode=require", /twice/, /once/],
    ["quotation marks", '"postgres://app:canary@db/x"', /quotation marks/, /Leave/],
    ["keywords of libpq", "host=db user=app password=canary", /keywords/, /postgres:\/\/USER/],
    ["another kind", "mysql://app:canary@db/x", /right kind/, /postgres:\/\/USER/],
    ["a driver's own kind", "postgresql+asyncpg://app:canary@db/x", /right kind/, /postgres:\/\/USER/],
    ["an IPv6 address without brackets", "postgres://app:canary@::1:5432/x", /host/, /postgres:\/\/USER/],
    ["several databases", "postgres://app:canary@db/x/y", /behind the port/, /postgres:\/\/USER/],
  ])("is never told: %s", (_what, url, state, remedy) => {
    if (state === null) return expect(database(url).host).toBe("localhost");
    const error = refusal(() => database(url));
    expect(error).toMatchObject({ code: "SETTING_INVALID", details: { setting: "DATABASE_URL" } });
    expect(error.message).toMatch(state);
    expect(error.hint).toMatch(remedy ?? /./);
    expect(`${error.message} ${error.hint}`).not.toMatch(/can\W*ary/);
    return undefined;
  });

  it("of any characters is read as it is, or refused, and is in no text of ours", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 6, unit: "grapheme" }),
          fc.string({ minLength: 6, unit: fc.constantFrom(..."%#/?@: ab1&=+[]\\"), maxLength: 12 }),
        ),
        (password) => {
          // A setting's spaces at its ends are nobody's; and what looks escaped is taken as that.
          fc.pre(!/%[0-9a-f]{2}/i.test(password) && !/\p{Surrogate}/u.test(password));
          try {
            expect(database(`postgres://app:${password}@db:5432/lockstep`).password).toBe(password);
            expect(redis(`redis://:${password}@db:5432/1`)?.password).toBe(password);
          } catch (error) {
            if (!(error instanceof Error && "code" in error)) throw error;
            expect(error).toMatchObject({ code: "SETTING_INVALID" });
            expect(`${error.message} ${(error as LockstepError).hint}`).not.toContain(password);
          }
        },
      ),
    );
  });

  it("whatever a setting holds: it is read, or SETTING_INVALID", () => {
    const scheme = fc.constantFrom("postgres://", "postgresql:", "redis://", "rediss://", "https://", "");
    fc.assert(
      fc.property(
        scheme,
        fc.string({ unit: fc.constantFrom(..."ab%2F#/?@:,&=[] .\n1"), maxLength: 30 }),
        (begin, rest) => {
          for (const name of ["DATABASE_URL", "REDIS_URL", "LOCKSTEP_AGENT_URL"]) {
            try {
              readSettings({}, { [name]: `${begin}${rest}`, LOCKSTEP_AGENT_LISTEN: "7421" });
            } catch (error) {
              expect(error).toMatchObject({ code: "SETTING_INVALID" });
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("DATABASE_URL", () => {
  const files = mkdtempSync(join(tmpdir(), "lockstep-settings-"));
  const ca = join(files, "ca.pem");
  writeFileSync(ca, "-----BEGIN CERTIFICATE-----\n");
  afterAll(() => rmSync(files, { recursive: true }));

  it.each([
    ["postgresql://db/x", { host: "db", port: 5432, database: "x", ssl: false }],
    ["POSTGRES://db/x", { host: "db" }],
    ["postgres:///x?host=/var/run/postgresql", { host: "/var/run/postgresql", database: "x", ssl: false }],
    ["postgres://%2Fvar%2Frun%2Fpostgresql/x", { host: "/var/run/postgresql", database: "x" }],
    ["postgres://app@[::1]:5433/x", { host: "::1", port: 5_433, user: "app" }],
    [
      "postgres://db/x?user=me&password=p%25&dbname=y&port=6000",
      { user: "me", password: "p%", database: "y", port: 6_000 },
    ],
    ["postgres://db/x?sslmode=require", { ssl: { rejectUnauthorized: true } }],
    ["postgres://db/x?sslmode=verify-full", { ssl: { rejectUnauthorized: true } }],
    ["postgres://db/x?ssl=true", { ssl: { rejectUnauthorized: true } }],
    ["postgres://db/x?sslmode=no-verify", { ssl: { rejectUnauthorized: false } }],
    ["postgres://db/x?ssl=0", { ssl: false }],
    ["postgres://db/x?sslmode=require&channel_binding=require", { enableChannelBinding: true }],
    [`postgres://db/x?sslrootcert=${ca}`, { ssl: { ca: "-----BEGIN CERTIFICATE-----\n" } }],
    ["postgres://db/x?sslmode=verify-full&sslrootcert=system", { ssl: { rejectUnauthorized: true } }],
    [
      "postgres://db/x?application_name=mine&connect_timeout=3",
      { application_name: "mine", connectionTimeoutMillis: 3_000 },
    ],
    ["postgres://db/x?target_session_attrs=read-write&gssencmode=disable", { host: "db" }],
    ["postgres://db/x?options=-c%20work_mem%3D8MB%20--jit=off", { options: "-cwork_mem=8MB --jit=off" }],
    ["postgres://db/x?options=endpoint%3Dep-cool-1", { options: "endpoint=ep-cool-1" }],
    [
      "postgres://db/x?schema=team_a&options=-cjit=off",
      { options: "-cjit=off -csearch_path=team_a", schema: "team_a" },
    ],
    ["postgres://db/my%20data", { database: "my data" }],
  ])("reads %s", (url, expected) => {
    expect(database(url)).toMatchObject(expected);
  });

  it.each([
    ["postgres://db/x?sslmode=prefer", /leaves it to the server/],
    ["postgres://db/x?sslmode=sure", /unknown sslmode/],
    ["postgres://db/x?sslmode=disable&sslrootcert=/nowhere", /switches TLS off/],
    ["postgres://db/x?sslmode=require&sslrootcert=/nowhere/ca.pem", /sslrootcert/],
    ["postgres://db/x?pgbouncer=true", /pgbouncer/],
    ["postgres://db/x?connection_limit=5", /connection_limit/],
    ["postgres://db/x?uselibpqcompat=true", /uselibpqcompat/],
    ["postgres://db/x?target_session_attrs=standby", /target_session_attrs/],
    ["postgres://db/x?host=a,b", /several hosts/],
    ["postgres://db/x?options=-c%20search_path%3Dother", /search_path/],
    ["postgres://db/x?options=--Statement-Timeout=0", /statement-timeout/],
    ["postgres://db/x?options=work_mem", /options that cannot be read/],
    ["postgres://db/x?options=-c", /options that cannot be read/],
    ["postgres://db/x?client_encoding=latin1", /client_encoding/],
    ["postgres://db/x?connect_timeout=0", /out of range/],
    ["postgres://db/x?schema=public,other", /schema/],
    ["postgres://db/x?schema=A", /schema/],
    ["postgres://db/x?schema=pg_mine", /schema/],
    ["postgres://db/x?schema=x%22;drop", /schema/],
  ])("refuses %s", (url, state) => {
    const error = refusal(() => database(url));
    expect(error.code).toBe("SETTING_INVALID");
    expect(error.message).toMatch(state);
  });

  it("takes from libpq's variables what it leaves out, and nothing else", () => {
    const env = {
      PGHOST: "elsewhere",
      PGPORT: "6543",
      PGUSER: "me",
      PGPASSWORD: "p w%",
      PGDATABASE: "data",
      PGSSLMODE: "verify-full",
      PGOPTIONS: "-c jit=off",
      PGAPPNAME: "mine",
    };
    expect(database("postgres://", env)).toMatchObject({
      host: "elsewhere",
      port: 6_543,
      user: "me",
      password: "p w%",
      database: "data",
      ssl: { rejectUnauthorized: true },
      options: "-cjit=off",
      application_name: "mine",
    });
    expect(database("postgres://a:b@c:1/d?sslmode=disable&options=-cgeqo=off", env)).toMatchObject({
      host: "c",
      port: 1,
      user: "a",
      password: "b",
      database: "d",
      ssl: false,
      options: "-cgeqo=off",
    });
    expect(refusal(() => database("postgres://db/x", { PGOPTIONS: "-c search_path=x" })).message).toMatch(
      /PGOPTIONS/,
    );
  });

  it("a schema may stand in a setting of its own, but not in another word", () => {
    expect(database("postgres://db/x", { LOCKSTEP_DATABASE_SCHEMA: "lockstep" }).schema).toBe("lockstep");
    const env = { LOCKSTEP_DATABASE_SCHEMA: "lockstep" };
    expect(refusal(() => database("postgres://db/x?schema=other", env)).message).toMatch(/differ/);
    expect(refusal(() => readSettings({}, env)).message).toMatch(/DATABASE_URL alone/);
  });
});

describe("REDIS_URL", () => {
  const files = mkdtempSync(join(tmpdir(), "lockstep-settings-"));
  const ca = join(files, "ca.pem");
  const none = join(files, "none.pem");
  writeFileSync(ca, "-----BEGIN CERTIFICATE-----\n");
  writeFileSync(none, "nothing\n");
  afterAll(() => rmSync(files, { recursive: true }));

  it.each([
    ["redis://", { host: "localhost", port: 6_379, database: 0, tls: false }],
    ["rediss://cache", { tls: { ca: null } }],
    ["redis://[::1]:1/2?family=6", { host: "::1", port: 1, database: 2, family: 6 }],
    ["redis://my_cache.internal:6379/", { host: "my_cache.internal", database: 0 }],
  ])("reads %s", (url, expected) => {
    expect(redis(url)).toMatchObject(expected);
  });

  it.each([
    ["redis://canary@cache", /user and no password/, /redis:\/\/:PASSWORD@HOST/],
    ["redis://cache/tenth", /no number/, /redis:/],
    ["redis://a,b", /several hosts/, /takes writes/],
    ["redis://cache?maxRetriesPerRequest=1", /behind \?/, /family/],
    ["redis://cache?family=5", /family/, /family=4/],
    ["redis://%2Ftmp%2Fredis.sock", /unix socket/, /redis:/],
    ["redis+sentinel://a", /right kind/, /redis:/],
    ["redis-sentinel://a", /right kind/, /redis:/],
  ])("refuses %s", (url, state, remedy) => {
    const error = refusal(() => redis(url));
    expect(error).toMatchObject({ code: "SETTING_INVALID" });
    expect(error.message).toMatch(state);
    expect(error.hint).toMatch(remedy);
    expect(`${error.message}${error.hint}`).not.toContain("canary");
  });

  it("trusts an authority of its own over TLS alone", () => {
    expect(redis("rediss://cache", { LOCKSTEP_REDIS_CA_FILE: ca })?.tls).toEqual({
      ca: "-----BEGIN CERTIFICATE-----\n",
    });
    const refused = (url: string, file: string): string =>
      refusal(() => redis(url, { LOCKSTEP_REDIS_CA_FILE: file })).message;
    expect(refused("redis://cache", ca)).toMatch(/no TLS/);
    expect(refused("rediss://cache", none)).toMatch(/without a certificate/);
    expect(refused("rediss://cache", join(files, "away"))).toMatch(/LOCKSTEP_REDIS_CA_FILE/);
    expect(refusal(() => readSettings({}, { LOCKSTEP_REDIS_CA_FILE: ca })).message).toMatch(
      /REDIS_URL alone/,
    );
  });
});
