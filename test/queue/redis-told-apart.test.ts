/**
 * Laws 1 and 5: what Redis says about why it cannot be the queue reaches people in words, with what to do; the queue
 * refuses meanwhile, and comes back by itself. One server for all of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makeSelfSigned } from "../../src/adapters/crypto/self-signed.ts";
import { evictionConcern, NEEDED_RIGHTS, redisTrouble } from "../../src/adapters/queue/redis-errors.ts";
import { createRedisQueue, type RedisQueueConnection } from "../../src/adapters/queue/redis-queue.ts";
import { redisConnection } from "../../src/composition/connections.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { Queue } from "../../src/core/ports/queue.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { SILENT } from "../support/database-clusters.ts";
import { job, recordRuns, untilAccepted } from "../support/queue-kit.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { lacks } from "../support/servers.ts";

describe("of what Redis answers", () => {
  it.each([
    ["WRONGPASS invalid username-password pair or user is disabled.", /WRONGPASS/, /redis:\/\/:PASSWORD/],
    ["ERR invalid password", /WRONGPASS/, /REDIS_URL/],
    ["NOAUTH Authentication required.", /NOAUTH/, /redis:\/\/:PASSWORD/],
    ["READONLY You can't write against a read only replica.", /READONLY/, /primary/],
    [
      "ERR Error running script: @user_script:1: -READONLY You can't write against a read only replica.",
      /READONLY/,
      /primary/,
    ],
    [
      "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
      /READONLY/,
      /primary/,
    ],
    [
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
      /MASTERDOWN/,
      /primary/,
    ],
    ["MOVED 3999 10.1.2.3:6381", /Cluster/, /leave REDIS_URL out/],
    ["CLUSTERDOWN Hash slot not served", /Cluster/, /leave REDIS_URL out/],
    ["ERR SELECT is not allowed in cluster mode", /Cluster/, /leave REDIS_URL out/],
    ["LOADING Redis is loading the dataset in memory", /LOADING/, /log/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /OOM/, /maxmemory/],
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
      /MISCONF/,
      /df -h/,
    ],
    ["NOREPLICAS Not enough good replicas to write.", /NOREPLICAS/, /min-replicas/],
    ["ERR max number of clients reached", /max number of clients/, /maxclients/],
    ["BUSY Redis is busy running a script.", /BUSY/, /SCRIPT KILL/],
    ["ERR unknown command 'EVALSHA', with args beginning with: 'canary'", /does not know a command/, /6\.2/],
    ["ERR DB index is out of range", /no database/, /smaller/],
    ["DENIED Redis is running in protected mode because canary", /protected mode/, /password/],
    ["NOPERM User canary has no permissions to run the 'evalsha' command", /EVALSHA/, /ACL SETUSER/],
    [
      "NOPERM this user has no permissions to run the 'client|setname' command or its subcommand",
      /CLIENT\|SETNAME/,
      /ACL/,
    ],
    [
      "NOPERM this user has no permissions to access one of the keys used as arguments",
      /keys \{lockstep\}/,
      /ACL/,
    ],
    ["NOPERM User x has no permissions to run the 'canary; DROP' command", /keys|right/, /ACL/],
  ])("only the kind is told: %s", (answer, what, remedy) => {
    const trouble = redisTrouble(new Error(answer));
    expect(trouble?.what).toMatch(what);
    expect(trouble?.remedy).toMatch(remedy);
    expect(JSON.stringify(trouble)).not.toMatch(/canary|10\.1\.2\.3|user_script/);
  });

  it("what nobody knows stays without a reason", () => {
    expect(redisTrouble(new Error("ERR canary"))).toBeNull();
    expect(redisTrouble("canary")).toBeNull();
  });

  it.each([
    ["maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", null],
    ["", null],
    [
      "maxmemory_policy:allkeys-lru\r\n",
      "Redis drops keys when its memory is full (maxmemory-policy allkeys-lru), and jobs with them",
    ],
  ])("a policy that drops jobs is a concern: %j", (told, what) => {
    expect(evictionConcern(told)?.what ?? null).toBe(what);
  });
});

describe.skipIf(lacks("redis"))("a real Redis", () => {
  const files = mkdtempSync(join(tmpdir(), "lockstep-redis-tls-"));
  const certificate = join(files, "certificate.pem");
  const key = join(files, "key.pem");
  const write = (made: ReturnType<typeof makeSelfSigned>): string => {
    writeFileSync(certificate, made.certificatePem);
    writeFileSync(key, made.privateKeyPem);
    return made.certificatePem;
  };
  let redis: TestRedis;
  let admin: Redis;
  let plain: RedisQueueConnection;
  const opened: Queue[] = [];
  const warned: { readonly message: string; readonly fields: Record<string, unknown> }[] = [];
  const log: Logger = { ...SILENT, warn: (message, fields = {}) => void warned.push({ message, fields }) };

  const open = (connection: RedisQueueConnection = plain): Queue => {
    const queue = createRedisQueue(connection, log);
    opened.push(queue);
    return queue;
  };
  const refusal = async (queue: Queue): Promise<LockstepError> =>
    await queue.enqueue([job("x")]).then(
      () => Promise.reject(new Error("it was taken")),
      (error: LockstepError) => error,
    );
  const expectTold = async (queue: Queue, what: RegExp, remedy: RegExp): Promise<void> => {
    const error = await refusal(queue);
    expect(error).toMatchObject({
      code: "QUEUE_UNAVAILABLE",
      details: { reason: expect.stringMatching(what) },
    });
    expect(error.hint).toMatch(remedy);
    expect(warned).toContainEqual({
      message: "queue away",
      fields: expect.objectContaining({
        reason: expect.stringMatching(what),
        remedy: expect.stringMatching(remedy),
      }),
    });
  };

  beforeAll(async () => {
    write(makeSelfSigned(new Date()));
    redis = await startRedis([
      ...[
        "--tls-port",
        "0",
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-auth-clients",
        "no",
      ],
      ...["--tls-ca-cert-file", certificate, "--user", "keeper", "on", ">keeper", "~*", "&*", "+@all"],
    ]);
    const port = Number(new URL(redis.url).port);
    plain = { host: "127.0.0.1", port };
    admin = new Redis({ port, username: "keeper", password: "keeper" });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((queue) => queue.close(300)));
    await admin.call("config", "set", "requirepass", "");
    warned.length = 0;
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.stop();
    rmSync(files, { recursive: true });
  });

  it("that wants a password, or another one", async () => {
    await admin.call("config", "set", "requirepass", "right%#");
    await expectTold(open(), /NOAUTH/, /redis:\/\/:PASSWORD/);
    await expectTold(open({ ...plain, password: "wrong" }), /WRONGPASS/, /REDIS_URL/);
    const settings = readSettings({}, { REDIS_URL: `redis://:right%#@127.0.0.1:${plain.port}` }).redis;
    if (settings === null) throw new Error("no Redis");
    await open(redisConnection(settings, undefined)).enqueue([job("taken")]);
  });

  it("whose user lacks rights: what is missing is named, and the named rights are enough", async () => {
    await admin.call("acl", "setuser", "app", "on", ">app", "~{lockstep}:*", "+@all", "-evalsha", "-eval");
    const connection = { ...plain, username: "app", password: "app" };
    const queue = open(connection);
    await expectTold(queue, /EVAL.*NOPERM/, /ACL SETUSER/);
    await admin.call("acl", "setuser", "app", "reset", "on", ">app", ...NEEDED_RIGHTS.split(" "));
    const seen = recordRuns();
    const other = open(connection);
    await other.start(seen.handler, { concurrency: 1 });
    await untilAccepted(other, job("with-rights"));
    await seen.saw("with-rights");
    expect(warned.filter(({ fields }) => String(fields["reason"]).includes("NOPERM"))).toHaveLength(1);
  });

  it("that became a replica under us: told, connected anew each time, and at work as soon as it is a primary", async () => {
    const queue = open();
    const seen = recordRuns();
    await queue.start(seen.handler, { concurrency: 1 });
    await queue.enqueue([job("before")]);
    await seen.saw("before");
    const ids = async () =>
      [...String(await admin.call("client", "list", "type", "normal")).matchAll(/^id=(\d+)/gm)].map(
        ([, id]) => id,
      );
    const before = await ids();
    await admin.call("replicaof", "127.0.0.1", "1");
    await expectTold(queue, /READONLY/, /primary/);
    await expect.poll(async () => (await ids()).some((id) => !before.includes(id))).toBe(true);
    await admin.call("config", "set", "replica-serve-stale-data", "no");
    await expectTold(open(), /MASTERDOWN/, /primary/);
    await admin.call("replicaof", "no", "one");
    await admin.call("config", "set", "replica-serve-stale-data", "yes");
    await untilAccepted(queue, job("after"));
    await seen.saw("after");
  });

  it("that is full, or drops what it was given", async () => {
    await admin.call("config", "set", "maxmemory", "1");
    await expectTold(open(), /OOM/, /maxmemory/);
    await admin.call("config", "set", "maxmemory-policy", "allkeys-lru");
    const queue = open();
    await expect.poll(() => queue.concern?.()?.what).toMatch(/allkeys-lru/);
    expect(warned).toContainEqual({
      message: "queue may lose jobs",
      fields: expect.objectContaining({ reason: expect.stringMatching(/allkeys-lru/) }),
    });
    await admin.call("config", "set", "maxmemory-policy", "noeviction");
    await admin.call("config", "set", "maxmemory", "0");
    const after = open();
    await after.enqueue([job("after")]);
    expect(after.concern?.()).toBeNull();
  });

  it("that has no connection left", async () => {
    const clients = String(await admin.call("client", "list"))
      .trim()
      .split("\n").length;
    await admin.call("config", "set", "maxclients", String(clients));
    // Redis says it and hangs up: it is not heard every time.
    await expectTold(open(), /max number of clients|ended before an answer/, /maxclients/);
    await admin.call("config", "set", "maxclients", "1000");
  });

  it("over TLS whose certificate is not right: each reason is told apart", async () => {
    const spare = makeSelfSigned(new Date());
    const tls = async (made: ReturnType<typeof makeSelfSigned>): Promise<RedisQueueConnection> => {
      write(made);
      // Again from the files, on a port of the system's choice that nobody else has.
      await admin.call("config", "set", "port", "0");
      await admin.call(
        "config",
        "set",
        "tls-port",
        String(plain.port),
        "tls-cert-file",
        certificate,
        "tls-key-file",
        key,
      );
      return {
        host: "127.0.0.1",
        ...(plain.port === undefined ? {} : { port: plain.port }),
        tls: { rejectUnauthorized: true },
      };
    };
    const back = async (): Promise<void> => {
      await admin.call("config", "set", "tls-port", "0");
      await admin.call("config", "set", "port", String(plain.port));
    };
    const old = makeSelfSigned(new Date(Date.UTC(2001, 0, 1)));
    const now = makeSelfSigned(new Date());
    for (const [made, ca, what] of [
      [old, old.certificatePem, /expired/],
      [now, now.certificatePem, /another name/],
      [now, spare.certificatePem, /self-signed/],
      [now, undefined, /self-signed/],
    ] as const) {
      const connection = await tls(made);
      const trusted = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca: [ca] }) };
      await expectTold(open({ ...connection, tls: trusted }), what, /LOCKSTEP_REDIS_CA_FILE/);
      await back();
    }
    await expectTold(
      open({ ...plain, tls: { rejectUnauthorized: true } }),
      /beginning of a connection/,
      /rediss/,
    );
  });
});
