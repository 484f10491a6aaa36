/**
 * Paths that survive an upgrade. Package managers put each release of Node in a directory of its own and take the old one
 * away; a service that names it starts no more. Where they keep a path that leads to the release in use, the service
 * names that; otherwise whoever installs is told. Pure but for `real`.
 */

export interface StablePath {
  readonly path: string;
  /** Whose directory it is that goes with an upgrade; null: none that is known. */
  readonly owner: string | null;
}

interface Rule {
  readonly owner: string;
  readonly pattern: RegExp;
  /** Where the same file may be found by a path that stays, best first. */
  readonly lasting?: (parts: readonly string[], home: string) => readonly string[];
}

const RULES: readonly Rule[] = [
  {
    owner: "Homebrew",
    pattern: /^(.*)\/Cellar\/([^/]+)\/[^/]+\/(.*)$/,
    // `opt` of a formula stays with its major release; `bin` is whatever is linked.
    lasting: ([prefix = "", formula = "", rest = ""]) => [
      `${prefix}/opt/${formula}/${rest}`,
      ...(rest.startsWith("bin/") ? [`${prefix}/${rest}`] : []),
    ],
  },
  {
    owner: "fnm",
    pattern: /^(.*)\/node-versions\/[^/]+\/installation\/(.*)$/,
    lasting: ([root = "", rest = ""]) => [`${root}/aliases/default/${rest}`],
  },
  { owner: "fnm's shell", pattern: /^(.*)\/fnm_multishells\/[^/]+\/(.*)$/ },
  {
    owner: "nvm or n",
    pattern: /^(.*)\/versions\/node\/[^/]+\/(.*)$/,
    lasting: ([root = "", rest = ""]) => [`${root}/current/${rest}`, `/usr/local/${rest}`],
  },
  {
    owner: "asdf or mise",
    pattern: /^(.*\/installs\/node(?:js)?)\/(\d+\.[^/]+)\/(.*)$/,
    lasting: ([root = "", release = "", rest = ""]) =>
      [release.split(".")[0] ?? "", "lts", "latest"].map((name) => `${root}/${name}/${rest}`),
  },
  { owner: "volta", pattern: /^(.*)\/tools\/image\/(?:node|npm|yarn)\/[^/]+\/(.*)$/ },
  { owner: "nodenv", pattern: /^(.*)\/\.?nodenv\/versions\/[^/]+\/(.*)$/ },
  {
    owner: "nodebrew",
    pattern: /^(.*)\/\.nodebrew\/(?:node|io)\/[^/]+\/(.*)$/,
    lasting: ([root = "", rest = ""]) => [`${root}/.nodebrew/current/${rest}`],
  },
  {
    owner: "nvs",
    pattern: /^(.*\/\.?nvs)\/node\/[^/]+\/[^/]+\/(.*)$/,
    lasting: ([root = "", rest = ""]) => [`${root}/default/${rest}`],
  },
  {
    owner: "Nix",
    pattern: /^\/nix\/store\/[^/]+\/(.*)$/,
    lasting: ([rest = ""], home) => [
      `/run/current-system/sw/${rest}`,
      `${home}/.nix-profile/${rest}`,
      `${home}/.local/state/nix/profile/${rest}`,
      `/etc/profiles/per-user/${home.slice(home.lastIndexOf("/") + 1)}/${rest}`,
      `/nix/var/nix/profiles/default/${rest}`,
    ],
  },
  {
    owner: "snap",
    pattern: /^\/snap\/([^/]+)\/[0-9x]+\/(.*)$/,
    lasting: ([name = "", rest = ""]) => [`/snap/${name}/current/${rest}`],
  },
  {
    owner: "pnpm",
    pattern: /^(.*)\/\.pnpm\/[^/]+\/node_modules\/(.*)$/,
    lasting: ([root = "", rest = ""]) => [`${root}/node_modules/${rest}`],
  },
  { owner: "npx", pattern: /^(.*)\/_npx\/(.*)$/ },
  { owner: "pnpm dlx", pattern: /^(.*)\/dlx(?:-[^/]*)?\/(.*)$/ },
  {
    owner: "the system's temporary files",
    pattern: /^(?:\/private)?(?:\/tmp|\/var\/tmp|\/var\/folders)\/(.*)$/,
  },
  { owner: "one release", pattern: /^(.*)\/[^/]*\d+\.\d+\.\d+[^/]*\/(.*)$/ },
];

/** `real`: where a path leads in the end; null: nowhere. */
export function stablePath(path: string, home: string, real: (path: string) => string | null): StablePath {
  const target = real(path) ?? path;
  const ruleOf = (one: string) => RULES.find(({ pattern }) => pattern.test(one));
  for (const rule of RULES) {
    const [, ...parts] = rule.pattern.exec(target) ?? [];
    if (parts.length === 0) continue;
    const lasting = rule.lasting?.(parts, home) ?? [];
    const found = lasting.find((one) => one !== target && ruleOf(one) !== rule && real(one) === target);
    // It may stay with an upgrade and still lie where something else takes it away.
    if (found !== undefined) return { path: found, owner: ruleOf(found)?.owner ?? null };
    // What the person named leads there by a path of its own: better than where it leads.
    if (path !== target && ruleOf(path) === undefined) return { path, owner: null };
    return { path: target, owner: rule.owner };
  }
  return { path, owner: null };
}

/** What breaks, and what to do, for whoever installs. */
export function remarkOf({ path, owner }: StablePath, what: "node" | "lockstep"): string | null {
  if (owner === null) return null;
  const remedy =
    what === "node"
      ? "Repeat with --node and a path that stays (a Node of the system's packages, for example --node /usr/bin/node), or repeat `lockstep agent install` after each upgrade."
      : "Install lockstep where it stays, or repeat `lockstep agent install` after each upgrade.";
  return `The service names ${path}, which belongs to ${owner} and goes with an upgrade or a cleaning there: then the agent does not start any more. ${remedy}`;
}
