-- What is said of each secret, target and binding is kept, and judged again only where something changed. Until now every
-- worker read every binding every two seconds to find the few of which something is to be said.
-- `judgement_owed` gets a row, by triggers, from whoever changes what a judgement rests on, this release or the one
-- before; a worker takes it away. It only grows by what changed, so writers never wait for each other here.
-- Locking: adds triggers, for a moment. Every secret and target is owed its first judgement.
-- Locks first: secret, secret_version, rollout, renewal, target, agent, binding, ownership, observation, activation

create table judgement_owed (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('secret', 'target', 'binding')),
  subject_id uuid not null
);

create table judgement (
  subject_id uuid primary key,
  kind text not null check (kind in ('secret', 'target', 'binding')),
  -- of a binding; of a secret or a target itself: its own id, and null for the other
  secret_id uuid,
  target_id uuid,
  -- of a binding: as `status` calls it, and since when
  state text check ((state is null) = (kind <> 'binding')),
  state_since timestamptz not null default now(),
  -- people are to be told of it
  noticed boolean not null,
  -- when time alone may change it
  judge_at timestamptz not null
) with (fillfactor = 80);
create index judgement_noticed on judgement (subject_id) where noticed;
create index judgement_due on judgement (judge_at);
create index judgement_of_secret on judgement (secret_id);
create index judgement_of_target on judgement (target_id);

insert into judgement_owed (kind, subject_id) select 'secret', id from secret;
insert into judgement_owed (kind, subject_id) select 'target', id from target;

create function owe_judgement() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id) values (tg_argv[0], new.id);
  return null;
end $$;
create function owe_judgement_of_secret() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id) values ('secret', new.secret_id);
  return null;
end $$;
create function owe_judgement_of_target() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id) values ('target', new.target_id);
  return null;
end $$;
create function owe_judgement_of_binding() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id) values ('binding', coalesce(new.binding_id, old.binding_id));
  return null;
end $$;

create trigger judged_anew after insert on secret for each row execute function owe_judgement('secret');
create trigger judged_again after update on secret for each row
  when ((old.name, old.policy, old.removed_at) is distinct from (new.name, new.policy, new.removed_at))
  execute function owe_judgement('secret');

create trigger judged_anew after insert on secret_version for each row
  when (new.state = 'current') execute function owe_judgement_of_secret();
create trigger judged_again after update on secret_version for each row
  when ((old.state, old.expires_at) is distinct from (new.state, new.expires_at))
  execute function owe_judgement_of_secret();

create trigger judged_anew after insert on rollout for each row execute function owe_judgement_of_secret();
create trigger judged_again after update on rollout for each row
  when ((old.state, old.phase, old.held, old.reason, old.from_version, old.to_version)
    is distinct from (new.state, new.phase, new.held, new.reason, new.from_version, new.to_version))
  execute function owe_judgement_of_secret();

create trigger judged_anew after insert on renewal for each row execute function owe_judgement_of_secret();
create trigger judged_again after update on renewal for each row
  when ((old.failures, old.refusals, old.error_code, old.error_message, old.lost_at, old.rotates)
    is distinct from (new.failures, new.refusals, new.error_code, new.error_message, new.lost_at, new.rotates))
  execute function owe_judgement_of_secret();

create trigger judged_anew after insert on target for each row execute function owe_judgement('target');
create trigger judged_again after update on target for each row
  when ((old.name, old.kind, old.config, old.gave_up_at, old.error_code, old.error_message, old.check_error_code,
      old.check_error_message, old.copies, old.test_failures, old.exposures, old.removed_at)
    is distinct from (new.name, new.kind, new.config, new.gave_up_at, new.error_code, new.error_message,
      new.check_error_code, new.check_error_message, new.copies, new.test_failures, new.exposures, new.removed_at))
  execute function owe_judgement('target');

-- An agent that is heard again and again changes nothing; that it is silent, time tells.
create trigger judged_anew after insert on agent for each row execute function owe_judgement_of_target();
create trigger judged_again after update on agent for each row
  when ((old.state, old.facts, old.report, old.clock_ahead_seconds, old.last_seen_at is null)
    is distinct from (new.state, new.facts, new.report, new.clock_ahead_seconds, new.last_seen_at is null))
  execute function owe_judgement_of_target();

create trigger judged_anew after insert on binding for each row execute function owe_judgement('binding');
create trigger judged_anew_with_it after insert on binding for each row execute function owe_judgement_of_secret();
create trigger judged_again after update on binding for each row
  when ((old.settled, old.settled_at, old.evidence, old.acceptance, old.look_reason, old.lacks, old.role, old.placement,
      old.key, old.used_by, old.removed_at) is distinct from (new.settled, new.settled_at, new.evidence, new.acceptance,
      new.look_reason, new.lacks, new.role, new.placement, new.key, new.used_by, new.removed_at)
    -- a later look that still finds it is another word than an earlier one
    or (new.lacks and old.looked_at is distinct from new.looked_at))
  execute function owe_judgement('binding');
create trigger judged_with_it after update on binding for each row
  when ((old.used_by, old.removed_at) is distinct from (new.used_by, new.removed_at))
  execute function owe_judgement_of_secret();

-- What was written and must still be deleted is said of its binding.
create trigger judged_again after insert or update or delete on ownership for each row
  execute function owe_judgement_of_binding();

create trigger judged_anew after insert on observation for each row
  execute function owe_judgement_of_binding();
create trigger judged_again after update on observation for each row
  when ((old.found, old.version, old.reason) is distinct from (new.found, new.version, new.reason))
  execute function owe_judgement_of_binding();
-- What was seen before the last write counts for nothing, and the same seen after it does.
create function owe_judgement_after_write() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id)
  select 'binding', b.id from binding b
  where b.id = new.binding_id and old.observed_at < b.settled_at and new.observed_at >= b.settled_at;
  return null;
end $$;
create trigger judged_after_write after update on observation for each row
  when ((old.found, old.version, old.reason) is not distinct from (new.found, new.version, new.reason))
  execute function owe_judgement_after_write();

create function owe_judgement_of_unit() returns trigger language plpgsql as $$
begin
  insert into judgement_owed (kind, subject_id)
  select 'target', target_id from target_unit where unit_id = new.unit_id;
  return null;
end $$;
create trigger judged_anew after insert on activation for each row execute function owe_judgement_of_unit();
create trigger judged_again after update on activation for each row
  when ((old.state, old.error_message) is distinct from (new.state, new.error_message))
  execute function owe_judgement_of_unit();
