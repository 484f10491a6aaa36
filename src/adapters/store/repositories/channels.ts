/** Where alerts go, and what is on its way there. */
import { type Kysely, sql } from "kysely";
import type { AlertRecord } from "../../../core/store/alerts.ts";
import type { ChannelHealth, ChannelRepo, DueDelivery, StoredChannel } from "../../../core/store/channels.ts";
import { type Database, jsonb } from "../schema/schema.ts";

const CHANNEL = sql`id, name, kind, config, credentials_sealed as "credentialsSealed"`;

/** Of alert `a`: nothing changed since it was taken to be sent. A Date holds no more than milliseconds. */
const SAME_WORDS = (alertAt: Date) => sql`date_trunc('milliseconds', a.updated_at) = ${alertAt}`;

export function createChannelRepo(db: Kysely<Database>): ChannelRepo {
  return {
    async all() {
      const { rows } = await sql<StoredChannel>`
        select ${CHANNEL} from channel where removed_at is null order by name`.execute(db);
      return rows;
    },

    async save(name, { kind, config, destination, credentialsSealed }) {
      const { rows } = await sql<{ id: string }>`
        insert into channel (name, kind, config, destination, credentials_sealed)
        values (${name}, ${kind}, ${jsonb(config)}, ${destination}, ${credentialsSealed})
        on conflict (name) do update set kind = excluded.kind, config = excluded.config,
          destination = excluded.destination, credentials_sealed = excluded.credentials_sealed, removed_at = null
        returning id`.execute(db);
      // Another address, or another credential: what waits is tried there at once.
      await sql`
        update delivery set next_attempt_at = now() where state = 'pending' and attempts > 0 and channel_id = ${rows[0]?.id ?? null}`.execute(
        db,
      );
      return rows[0]?.id ?? "";
    },

    async remove(name) {
      const { rows } = await sql<{ id: string }>`
        update channel set removed_at = now() where name = ${name} and removed_at is null returning id`.execute(
        db,
      );
      const id = rows[0]?.id ?? "";
      await sql`delete from delivery where state = 'pending' and channel_id::text = ${id}`.execute(db);
      return id;
    },

    async takeDue(kinds, limit, leaseMs) {
      const { rows } = await sql<{
        id: string;
        event: DueDelivery["event"];
        attempts: number;
        createdAt: Date;
        reached: string[];
        channel: StoredChannel;
        alert: AlertRecord;
      }>`
        with taken as (
          update delivery set next_attempt_at = now() + ${leaseMs} * interval '1 millisecond'
          where id in (
            select d.id from delivery d join channel dc on dc.id = d.channel_id
            where d.state = 'pending' and d.next_attempt_at <= now() and dc.kind = any(${[...kinds]})
            order by d.next_attempt_at limit ${limit} for update of d skip locked
          ) returning *
        )
        select t.id, t.event, t.attempts, t.created_at as "createdAt", t.reached,
          jsonb_build_object('id', c.id, 'name', c.name, 'kind', c.kind, 'config', c.config,
            'credentialsSealed', c.credentials_sealed) as channel,
          jsonb_build_object('id', a.id, 'kind', a.kind, 'subjectId', a.subject_id, 'level', a.level,
            'message', a.message, 'remedy', a.remedy, 'openedAt', a.opened_at, 'updatedAt', a.updated_at,
            'resolvedAt', a.resolved_at) as alert
        from taken t join channel c on c.id = t.channel_id join alert a on a.id = t.alert_id`.execute(db);
      return rows.map(({ alert, ...row }) => ({
        ...row,
        alert: {
          ...alert,
          openedAt: new Date(alert.openedAt),
          updatedAt: new Date(alert.updatedAt),
          resolvedAt: alert.resolvedAt === null ? null : new Date(alert.resolvedAt),
        },
      }));
    },

    async delivered(deliveryId, alertAt) {
      await sql`
        update delivery d set attempts = attempts + 1, error_message = null, reached = '{}', next_attempt_at = now(),
          state = case when told.newest then 'delivered' else 'pending' end,
          ended_at = case when told.newest then now() end,
          event = case when not told.newest and d.event = 'opened' then 'changed' else d.event end
        from (select ${SAME_WORDS(alertAt)} as newest from alert a join delivery one on one.alert_id = a.id
          where one.id = ${deliveryId}) told
        where d.id = ${deliveryId} and d.state = 'pending'`.execute(db);
    },

    async failed(deliveryId, message, againInMs, { who, alertAt }) {
      await sql`
        update delivery set attempts = attempts + 1, error_message = ${message},
          reached = case when exists (select from alert a where a.id = delivery.alert_id
            and ${SAME_WORDS(alertAt)}) then ${[...who]}::text[] else '{}' end,
          state = ${againInMs === null ? "undeliverable" : "pending"},
          ended_at = ${againInMs === null ? sql`now()` : null},
          next_attempt_at = now() + ${againInMs ?? 0} * interval '1 millisecond'
        where id = ${deliveryId} and state = 'pending'`.execute(db);
    },

    async health() {
      const { rows } = await sql<{
        name: string;
        kind: string;
        lastDeliveredAt: Date | null;
        waiting: number;
        message: string | null;
        since: Date;
        isOver: boolean;
      }>`
        select c.name, c.kind,
          (select max(ended_at) from delivery where channel_id = c.id and state = 'delivered') as "lastDeliveredAt",
          (select count(*)::int from delivery where channel_id = c.id and state = 'pending') as waiting,
          f.error_message as message, f.created_at as since, f.state = 'undeliverable' as "isOver"
        from channel c
        left join lateral (
          select * from delivery d where d.channel_id = c.id and d.error_message is not null
            and not exists (select from delivery l where l.channel_id = c.id and l.state = 'delivered'
              and l.ended_at > coalesce(d.ended_at, now()))
          order by d.created_at desc limit 1
        ) f on true
        where c.removed_at is null order by c.name`.execute(db);
      return rows.map(
        ({ message, since, isOver, ...row }): ChannelHealth => ({
          ...row,
          error: message === null ? null : { message, since, isOver },
        }),
      );
    },
  };
}
