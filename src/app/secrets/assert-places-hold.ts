/** A value that one of its places cannot hold is refused before it is a version: there it would stand in everybody's way. */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import { renderFields } from "../../core/template.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf } from "../targets/open-target.ts";
import type { Fields } from "../values/secret-fields.ts";

/** Throws KEY_INVALID, VALUE_INVALID, VALUE_NOT_REPRESENTABLE, with the place's name. What a kind alone can tell: no place is asked. */
export async function assertPlacesHold(
  context: AppContext,
  secret: { readonly id: string; readonly name: string },
  fields: Fields,
): Promise<void> {
  const { targets } = context.store.read;
  for (const targetId of await targets.bindingTargets(secret.id)) {
    const target = await targets.findById(targetId);
    if (target === null) continue;
    for (const binding of await targets.bindings(targetId))
      if (binding.secretId === secret.id) assertHeld(context, secret.name, target, binding, fields);
  }
}

function assertHeld(
  context: AppContext,
  name: string,
  target: TargetRecord,
  binding: LoopBinding,
  fields: Fields,
): void {
  try {
    const value = renderFields(fields, binding.template);
    kindOf(context, target.kind).assertHoldable(target.config, binding, value);
  } catch (error) {
    const { code, message, hint, family } = toLockstepError(error);
    // What this release cannot judge, the push does.
    if (family !== "invalid") return;
    throw new LockstepError(code, `Cannot set "${name}": target "${target.name}" refuses it. ${message}`, {
      hint,
      details: { target: target.name, key: binding.key },
    });
  }
}
