/**
 * Who may do what. Three scopes that include each other, and grants of their own that no scope includes: an
 * administrator's everyday token (in CI, for `apply`) need not be able to read values or to overrule a gate.
 * Whatever decides where a value goes or what code runs is `config.apply`.
 *
 *   viewer    looks: status, history, audit, names; never a value
 *   operator  also: moves what exists: rotate (the value is made here), renew, resume, roll back, heal, check, test, silence
 *   admin     also: new values, configuration, tokens, keys, epochs; not the grants
 *
 * Grants: `reveal` a value, `adopt` a value found at a place, `force` a gate, `export` with values. And `plan` alone, for
 * CI on a pull request: the differences of a proposed configuration, from destinations that were applied.
 *
 * Nobody hands out what they lack (`mayHandOut`). What remains: an administrator can bind a secret to a place of
 * their own, and read it there; that leaves a plan, an entry and a push behind, where a reveal would leave one entry.
 */
export const SCOPES = ["viewer", "operator", "admin", "plan", "reveal", "adopt", "force", "export"] as const;
export type Scope = (typeof SCOPES)[number];

/** Of whoever owns the data directory, and with it the root key: leaving anything out would protect nothing. */
export const LOCAL_ADMIN_SCOPES: readonly Scope[] = ["admin", "reveal", "adopt", "force", "export"];

export const PERMISSIONS = [
  "status.read",
  "history.read",
  "audit.read",
  "secret.list",
  "secret.set",
  "secret.reveal",
  "secret.destroy",
  "secret.adopt",
  "rollout.read",
  "rollout.start",
  "rollout.resume",
  "rollout.rollback",
  "rollout.force",
  "renewal.start",
  "alert.manage",
  "target.test",
  "target.check",
  "target.heal",
  "config.plan",
  "config.apply",
  "agent.manage",
  "token.manage",
  "store.rewrap",
  "store.move",
  "store.recovery",
  "store.epoch",
  "values.export",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const VIEWER: readonly Permission[] = [
  "status.read",
  "history.read",
  "audit.read",
  "secret.list",
  "rollout.read",
];
const OPERATOR: readonly Permission[] = [
  ...VIEWER,
  "rollout.start",
  "rollout.resume",
  "rollout.rollback",
  "renewal.start",
  "alert.manage",
  "target.test",
  "target.check",
  "target.heal",
];
const GRANTS: readonly Permission[] = ["secret.reveal", "secret.adopt", "rollout.force", "values.export"];

const GRANTED: Readonly<Record<Scope, readonly Permission[]>> = {
  viewer: VIEWER,
  operator: OPERATOR,
  admin: PERMISSIONS.filter((permission) => !GRANTS.includes(permission)),
  plan: ["config.plan"],
  reveal: ["secret.reveal"],
  adopt: ["secret.adopt"],
  force: ["rollout.force"],
  export: ["values.export"],
};

/** What would move something: a store that was set back refuses it until a new epoch begins. */
const MOVING: ReadonlySet<Permission> = new Set<Permission>([
  "secret.set",
  "secret.destroy",
  "secret.adopt",
  "rollout.start",
  "rollout.resume",
  "rollout.rollback",
  "rollout.force",
  "renewal.start",
  "target.heal",
  "config.apply",
  "store.move",
]);

export function isMoving(permission: string): boolean {
  return isPermission(permission) && MOVING.has(permission);
}

export function isPermission(text: string): text is Permission {
  return PERMISSIONS.some((permission) => permission === text);
}

export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

/** The one question. Unknown scopes grant nothing. */
export function can(scopes: readonly string[], permission: Permission): boolean {
  return scopes.some((scope) => isScope(scope) && GRANTED[scope].includes(permission));
}

/** True when a token with `scopes` may make one with `wanted`: every permission of it is the maker's own. */
export function mayHandOut(scopes: readonly string[], wanted: readonly string[]): boolean {
  return PERMISSIONS.every((permission) => !can(wanted, permission) || can(scopes, permission));
}
