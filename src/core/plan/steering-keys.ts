/**
 * Keys that steer loaders, interpreters and shells: who sets one in a program's environment runs code there. A binding
 * to such a key needs the explicit word `allowSteeringKey: true`, so that nobody smuggles one in among many.
 */
const STEERING_PREFIXES = [
  "LD_",
  "DYLD_",
  "PYTHON",
  "PERL5",
  "GIT_CONFIG",
  "GIT_SSH",
  "NPM_CONFIG_",
  "BASH_FUNC_",
];

const STEERING_KEYS: ReadonlySet<string> = new Set(
  `BASHOPTS BASH_ENV CDPATH CLASSPATH EDITOR ENV GCONV_PATH GIT_ASKPASS GIT_EDITOR GIT_EXEC_PATH GIT_EXTERNAL_DIFF
  GIT_PAGER GIT_PROXY_COMMAND GIT_TEMPLATE_DIR GLOBIGNORE HOME HOSTALIASES IFS JAVA_OPTS JAVA_TOOL_OPTIONS
  JDK_JAVA_OPTIONS LOCPATH MALLOC_TRACE NLSPATH NODE_EXTRA_CA_CERTS NODE_OPTIONS NODE_PATH
  NODE_TLS_REJECT_UNAUTHORIZED NODE_V8_COVERAGE OPENSSL_CONF OPENSSL_MODULES PAGER PATH PERLLIB PHPRC
  PHP_INI_SCAN_DIR PROMPT_COMMAND PS4 RUBYLIB RUBYOPT RUBYSHELL SHELL SHELLOPTS SSLKEYLOGFILE VISUAL ZDOTDIR
  _JAVA_OPTIONS`.split(/\s+/),
);

export function isSteeringKey(key: string): boolean {
  // Compared in capitals: npm reads npm_config_*, and some systems do not tell the cases apart.
  const name = key.toUpperCase();
  return STEERING_KEYS.has(name) || STEERING_PREFIXES.some((prefix) => name.startsWith(prefix));
}
