/**
 * Who may do what. Three scopes that include each other, and grants of their own for what even an administrator's
 * everyday token need not carry. Whatever decides where a value goes or what code runs is `config.apply`.
 *
 *   viewer    looks: status, history, audit, names; never a value
 *   operator  besides: moves what exists: rotate (the value is made here), resume, check, test
 *   admin     besides: values, configuration, adoption, tokens, keys; and every grant
 *
 * Grants: `reveal` a value, `adopt` a value found at a place, `force` a gate, `export` with values.
 */
export const SCOPES = ["viewer", "operator", "admin", "reveal", "adopt", "force", "export"] as const;
export type Scope = (typeof SCOPES)[number];

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
  "rollout.force",
  "target.test",
  "target.check",
  "config.plan",
  "config.apply",
  "token.manage",
  "store.rewrap",
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
  "target.test",
  "target.check",
];

const GRANTED: Readonly<Record<Scope, readonly Permission[]>> = {
  viewer: VIEWER,
  operator: OPERATOR,
  admin: PERMISSIONS,
  reveal: ["secret.reveal"],
  adopt: ["secret.adopt"],
  force: ["rollout.force"],
  export: [],
};

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
