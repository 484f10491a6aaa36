/** Settings of Postgres and Redis as their adapters take them, and the queue on the one that is configured. */
import { rootCertificates } from "node:tls";
import { createPostgresQueue } from "../adapters/queue/postgres-queue.ts";
import { createRedisQueue, type RedisQueueConnection } from "../adapters/queue/redis-queue.ts";
import type { StoreConnection } from "../adapters/store/pool.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Queue } from "../core/ports/queue.ts";
import type { DatabaseSettings, RedisSettings, Settings } from "../settings/settings.ts";

export function storeConnection(settings: DatabaseSettings): StoreConnection {
  const { host, port, user, password, database, tls, applicationName, connectTimeoutMs, schema } = settings;
  const options = [settings.options, schema === null ? null : `-csearch_path=${schema}`];
  return {
    host,
    port,
    ...(user === null ? {} : { user }),
    ...(password === null ? {} : { password: password.reveal() }),
    ...(database === null ? {} : { database }),
    ...(tls === false ? { ssl: false } : tlsOf(tls)),
    options: options.filter((one) => one !== null).join(" "),
    ...(applicationName === null ? {} : { application_name: applicationName }),
    ...(connectTimeoutMs === null ? {} : { connectionTimeoutMillis: connectTimeoutMs }),
    ...(schema === null ? {} : { schema }),
  };
}

function tlsOf({
  verify,
  ca,
  certificate,
  key,
  direct,
  channelBinding,
}: Exclude<DatabaseSettings["tls"], false>): Partial<StoreConnection> {
  return {
    ssl: {
      // Said, because an environment variable could turn it off.
      rejectUnauthorized: verify,
      ...(ca === null ? {} : { ca }),
      ...(certificate === null ? {} : { cert: certificate }),
      ...(key === null ? {} : { key: key.reveal() }),
    },
    ...(direct ? { sslnegotiation: "direct" } : {}),
    ...(channelBinding ? { enableChannelBinding: true } : {}),
  };
}

export function openQueue(settings: Settings, connection: StoreConnection, log: Logger): Queue {
  return settings.redis === null
    ? createPostgresQueue(connection, log)
    : createRedisQueue(redisConnection(settings.redis, connection.schema), log);
}

export function redisConnection(settings: RedisSettings, schema: string | undefined): RedisQueueConnection {
  const { host, port, user, password, database, family, tls } = settings;
  return {
    host,
    port,
    ...(user === null ? {} : { username: user }),
    ...(password === null ? {} : { password: password.reveal() }),
    db: database,
    family,
    ...(tls === false
      ? {}
      : {
          tls: {
            rejectUnauthorized: true,
            ...(tls.ca === null ? {} : { ca: [...rootCertificates, tls.ca] }),
          },
        }),
    ...(schema === undefined ? {} : { schema }),
  };
}
