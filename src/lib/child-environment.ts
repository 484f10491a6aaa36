/**
 * What a child process may inherit: where to find programs, who the user is, language and time zone. Everything else
 * of our own environment (store and Redis addresses, tokens, keys that steer loaders) stays with us.
 */
const INHERITED = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM"];

/** `extra` wins. Undefined entries are left out. Pure: the caller passes its environment. */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const inherited = Object.entries(own).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (INHERITED.includes(entry[0]) || /^LC_[A-Z]+$/.test(entry[0])),
  );
  return { ...Object.fromEntries(inherited), ...extra };
}
