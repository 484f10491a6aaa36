/**
 * Differences → rows, within the caller's transaction, each with its audit entry. Keys are given up before others
 * claim them; the unique (place, key) of the store has the last word.
 */
import type { Actor } from "../../core/actor.ts";
import { credentialsAssociatedData } from "../../core/associated-data.ts";
import type { AuditAction } from "../../core/audit/events.ts";
import { invariant } from "../../core/invariant.ts";
import type { JsonObject } from "../../core/json.ts";
import { type DesiredBinding, type DesiredTarget, targetId } from "../../core/plan/desired-config.ts";
import { bindingId, claimsOf, type Difference, keyId } from "../../core/plan/diff-config.ts";
import { touchedTargets } from "../../core/plan/touched-targets.ts";
import type { UnitSpec } from "../../core/ports/place.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { endAgents, endBegun, hasShortLived } from "../targets/enrolment-turn.ts";
import type { Prepared } from "./prepare.ts";
import { unitsAfter } from "./units-after.ts";

type Of<Subject extends Difference["subject"], Action extends Difference["action"]> = Extract<
  Difference,
  { readonly subject: Subject; readonly action: Action }
>;

export interface Applied {
  /** Targets with a new generation. */
  readonly bumped: readonly string[];
}

/** `takenOver`: bindings (as `bindingId` names them) whose foreign value may be overwritten. */
export async function applyDifferences(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  prepared: Prepared,
  takenOver: ReadonlySet<string>,
): Promise<Applied> {
  const writer = new Writer(context, tx, actor, prepared);
  const { differences } = prepared;
  for (const change of differences) await writer.prepare(change);
  for (const change of differences) await writer.create(change);
  await writer.takeOver(takenOver);
  for (const change of differences) await writer.remove(change);
  return { bumped: await writer.bump(takenOver) };
}

class Writer {
  readonly #context: AppContext;
  readonly #tx: Repositories;
  readonly #actor: Actor;
  readonly #prepared: Prepared;
  readonly #secretIds: Map<string, string>;
  readonly #targetIds: Map<string, string>;
  readonly #bindingIds: Map<string, string>;

  constructor(context: AppContext, tx: Repositories, actor: Actor, prepared: Prepared) {
    this.#context = context;
    this.#tx = tx;
    this.#actor = actor;
    this.#prepared = prepared;
    const { stored, elsewhere } = prepared;
    this.#secretIds = new Map(
      stored.secrets.map((secret) => [`${secret.environment}/${secret.name}`, secret.id]),
    );
    this.#targetIds = new Map(
      [...stored.targets, ...elsewhere].map((target) => [
        targetId(target.environment, target.name),
        target.id,
      ]),
    );
    this.#bindingIds = new Map(stored.bindings.map((binding) => [bindingId(binding), binding.id]));
  }

  /** Gives up what others may claim, and makes what bindings need. */
  async prepare(change: Difference): Promise<void> {
    if (change.subject === "environment") await this.#createEnvironment(change);
    else if (change.subject === "secret" && change.action === "create") await this.#createSecret(change);
    else if (change.subject === "secret" && change.action === "change") await this.#changeSecret(change);
    else if (change.subject === "target" && change.action === "create") await this.#createTarget(change);
    else if (change.subject === "target" && change.action === "change") await this.#changeTarget(change);
    else if (change.subject === "binding" && change.action === "remove") await this.#removeBinding(change);
    else if (change.subject === "binding" && change.action === "change") await this.#releaseMoved(change);
  }

  async create(change: Difference): Promise<void> {
    if (change.subject === "binding" && change.action === "create") await this.#createBinding(change);
    else if (change.subject === "binding" && change.action === "change") await this.#changeBinding(change);
    else if (change.subject === "key") await this.#tx.config.prune([change.owned]);
  }

  async remove(change: Difference): Promise<void> {
    if (change.subject === "secret" && change.action === "remove") {
      await this.#tx.config.removeSecret(change.stored.id);
      await this.#record("secret.removed", "secret", change.stored.id, change.stored.name);
    } else if (change.subject === "target" && change.action === "remove") {
      await this.#tx.config.removeTarget(change.stored.id);
      // A target of this name that is made later is another one, and may be for another machine.
      if (change.stored.kind === "agent") await endAgents(this.#tx, this.#actor, change.stored);
      await this.#keepUnits(change.stored.id, []);
      await this.#record("target.removed", "target", change.stored.id, change.stored.name);
    }
  }

  async takeOver(takenOver: ReadonlySet<string>): Promise<void> {
    for (const binding of this.#takenOver(takenOver)) {
      const id = this.#idOf(this.#bindingIds, bindingId(binding));
      await this.#tx.config.allowTakeOver([id]);
      await this.#record("binding.changed", "binding", id, binding.secret, {
        target: binding.target,
        key: binding.key,
        takeOver: true,
      });
    }
  }

  async bump(takenOver: ReadonlySet<string>): Promise<readonly string[]> {
    const { desired, stored, differences } = this.#prepared;
    const touched = new Set(touchedTargets(desired, stored, differences));
    for (const binding of this.#takenOver(takenOver))
      touched.add(targetId(binding.targetEnvironment, binding.target));
    const ids = [...touched].flatMap((name) => this.#targetIds.get(name) ?? []);
    // In one order for everybody: two transactions that take several rows do not wait for each other.
    const bumped = await this.#tx.targets.bumpGenerations(ids.sort(), this.#actor);
    return [...bumped.keys()];
  }

  #takenOver(takenOver: ReadonlySet<string>): readonly DesiredBinding[] {
    return this.#prepared.desired.bindings.filter((binding) => takenOver.has(bindingId(binding)));
  }

  async #createEnvironment({ name }: Of<"environment", "create">): Promise<void> {
    const { id, created } = await this.#tx.secrets.ensureEnvironment(name);
    if (created) await this.#record("environment.created", "environment", id, name);
  }

  async #createSecret({ desired }: Of<"secret", "create">): Promise<void> {
    const { id: environmentId } = await this.#tx.secrets.ensureEnvironment(desired.environment);
    const { id } = await this.#tx.secrets.create({
      environmentId,
      name: desired.name,
      policy: desired.policy,
    });
    this.#secretIds.set(`${desired.environment}/${desired.name}`, id);
    await this.#record("secret.created", "secret", id, desired.name, { environment: desired.environment });
  }

  async #changeSecret({ desired, stored }: Of<"secret", "change">): Promise<void> {
    await this.#tx.secrets.setPolicy(stored.id, desired.policy);
    await this.#record("secret.changed", "secret", stored.id, desired.name, {
      environment: desired.environment,
    });
  }

  async #createTarget({ desired }: Of<"target", "create">): Promise<void> {
    const { id: environmentId } = await this.#tx.secrets.ensureEnvironment(desired.environment);
    const id = await this.#tx.config.createTarget({ environmentId, ...desired });
    this.#targetIds.set(targetId(desired.environment, desired.name), id);
    // The row of a removed one of this name may come back: with it nobody who spoke for that one.
    if (desired.kind === "agent") await endAgents(this.#tx, this.#actor, { id, name: desired.name });
    await this.#sealCredentials(id, desired);
    await this.#record("target.created", "target", id, desired.name, detailsOf(desired));
  }

  async #changeTarget({ desired, stored, changed }: Of<"target", "change">): Promise<void> {
    await this.#tx.config.updateTarget(stored.id, desired);
    await this.#endAgents(desired, stored);
    await this.#forgetUnreachable(stored.id);
    const units = unitsAfter(this.#context, stored, desired);
    if (units !== null) await this.#keepUnits(stored.id, units);
    const moved = stored.kind !== desired.kind || stored.destination !== desired.destination;
    const verdict = this.#prepared.verdicts.get(targetId(desired.environment, desired.name));
    // An address that needs none any more must not keep one that is sealed for another.
    if (verdict !== "kept" || moved) await this.#sealCredentials(stored.id, desired);
    await this.#record("target.changed", "target", stored.id, desired.name, {
      ...detailsOf(desired),
      changed,
    });
  }

  /** Agents of a place that has none any more; and what was begun for another kind of agent. */
  async #endAgents(desired: DesiredTarget, stored: Of<"target", "change">["stored"]): Promise<void> {
    if (desired.kind !== stored.kind) await endAgents(this.#tx, this.#actor, stored);
    else if (stored.kind === "agent" && hasShortLived(desired) !== hasShortLived(stored))
      await endBegun(this.#tx, this.#actor, stored, { because: "changed" });
  }

  /** A unit that is configured no more owes nothing, and nothing waits for it. */
  async #keepUnits(targetId: string, units: readonly UnitSpec[]): Promise<void> {
    const { quietMs, maxQuietMs } = this.#context.timing;
    const now = { targetId, units, quietMs, maxQuietMs };
    for (const { unitId, name, ended } of await this.#tx.activations.keepUnits(now))
      await this.#record("unit.retired", "unit", unitId, name, { target: targetId, ended });
  }

  /** Also what waits for its deletion: the loop would delete the same key at the new place. */
  async #forgetUnreachable(id: string): Promise<void> {
    const { stored, isReachable } = this.#prepared;
    for (const owned of stored.owned) {
      if (owned.targetId === id && !isReachable(owned))
        await this.#tx.config.forget(owned.bindingId, [owned]);
    }
  }

  async #sealCredentials(id: string, desired: DesiredTarget): Promise<void> {
    const given = this.#prepared.credentials.get(targetId(desired.environment, desired.name)) ?? null;
    const associatedData = credentialsAssociatedData(id, desired.destination);
    const sealed =
      given === null ? null : await this.#context.sealer.seal(JSON.stringify(given), associatedData);
    await this.#tx.config.setCredentials(id, sealed);
  }

  async #removeBinding({ stored }: Of<"binding", "remove">): Promise<void> {
    await this.#tx.config.removeBinding(stored.id);
    const owned = this.#prepared.stored.owned.filter((key) => key.bindingId === stored.id);
    await this.#tx.config.release(stored.id, owned);
    await this.#tx.keptCopies.oweAt(stored.targetId, stored.placement);
    await this.#record("binding.removed", "binding", stored.id, stored.secret, {
      target: stored.target,
      key: stored.key,
    });
  }

  async #releaseMoved({ desired, stored }: Of<"binding", "change">): Promise<void> {
    const claims = new Set(claimsOf(desired).map(keyId));
    const given = this.#prepared.stored.owned.filter(
      (key) => key.bindingId === stored.id && !claims.has(keyId(key)),
    );
    await this.#tx.config.forget(stored.id, given);
  }

  async #createBinding({ desired }: Of<"binding", "create">): Promise<void> {
    const id = await this.#tx.config.createBinding({
      ...desired,
      secretId: this.#idOf(this.#secretIds, `${desired.secretEnvironment}/${desired.secret}`),
      targetId: this.#idOf(this.#targetIds, targetId(desired.targetEnvironment, desired.target)),
    });
    this.#bindingIds.set(bindingId(desired), id);
    await this.#claim(id, desired);
    await this.#record("binding.created", "binding", id, desired.secret, {
      target: desired.target,
      key: desired.key,
      role: desired.role,
    });
  }

  async #changeBinding({ desired, stored, changed }: Of<"binding", "change">): Promise<void> {
    await this.#tx.config.updateBinding(stored.id, desired);
    if (changed.includes("place")) await this.#tx.config.forgetSettled([stored.id]);
    await this.#claim(stored.id, desired);
    await this.#record("binding.changed", "binding", stored.id, desired.secret, {
      target: desired.target,
      key: desired.key,
      changed,
    });
  }

  async #claim(id: string, desired: DesiredBinding): Promise<void> {
    const target = this.#idOf(this.#targetIds, targetId(desired.targetEnvironment, desired.target));
    for (const claim of claimsOf(desired)) {
      await this.#tx.config.claim({
        ...claim,
        placement: desired.placement,
        targetId: target,
        bindingId: id,
      });
    }
  }

  #idOf(ids: ReadonlyMap<string, string>, name: string): string {
    const id = ids.get(name);
    // The check of references comes before: a gap here is ours.
    invariant(id !== undefined, "what a binding names was made before it");
    return id;
  }

  async #record(
    action: AuditAction,
    kind: string,
    id: string,
    name: string,
    details?: JsonObject,
  ): Promise<void> {
    const subject = { kind, id, name };
    await this.#tx.audit.append({
      action,
      actor: this.#actor,
      subject,
      ...(details === undefined ? {} : { details }),
    });
  }
}

function detailsOf({ environment, kind, destination }: DesiredTarget): JsonObject {
  return { environment, kind, destination };
}
