/**
 * Keys that steer loaders, interpreters, tools and what they trust: who sets one in a program's environment runs code
 * there, or stands between it and the services that it asks. A binding to such a key needs the explicit word
 * (`allowSteeringKey: true`, or `steeringKeys` in a host's policy), so that nobody smuggles one in among many.
 *
 * By family, each with its reason: what loaders, interpreters, shells and tools read by themselves. Families of tools
 * that also keep credentials in variables of one prefix leave those alone: `CARGO_REGISTRY_TOKEN` is a secret like any
 * other.
 */
interface Family {
  /** Ends "it …". */
  readonly reason: string;
  readonly names?: string;
  /** Whole beginnings. */
  readonly prefixes?: string;
  readonly suffixes?: string;
}

const FAMILIES: readonly Family[] = [
  {
    reason: "decides what the loader or the C library loads into the program",
    prefixes: "LD_ DYLD_ LDR_ _RLD MALLOC_",
    names: `LIBPATH SHLIB_PATH GLIBC_TUNABLES GCONV_PATH GETCONF_DIR LOCPATH NLSPATH TZDIR HOSTALIASES LOCALDOMAIN
    RES_OPTIONS RESOLV_HOST_CONF LIBC_FATAL_STDERR_ ASAN_OPTIONS LSAN_OPTIONS MSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS
    TERMCAP TERMINFO TERMINFO_DIRS TERMPATH`,
  },
  {
    reason: "decides what a shell runs",
    prefixes: "BASH_FUNC_",
    names: `BASHOPTS BASH_ENV BASH_LOADABLES_PATH BASH_XTRACEFD CDPATH ENV EXECIGNORE FCEDIT FIGNORE FPATH
    FISH_FUNCTION_PATH GLOBIGNORE HISTFILE IFS INPUTRC NULLCMD PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 READNULLCMD SHELL
    SHELLOPTS ZDOTDIR COMSPEC PATHEXT PSMODULEPATH`,
  },
  {
    reason: "decides where programs, settings and temporary files are found",
    prefixes: "XDG_",
    names:
      "HOME LOGNAME PATH PWD SYSTEMROOT TEMP TEMPDIR TMP TMPDIR USER USERPROFILE APPDATA LOCALAPPDATA WINDIR",
  },
  {
    reason: "names a program that others start",
    names: `BROWSER EDITOR LESS LESSCLOSE LESSECHO LESSEDIT LESSHISTFILE LESSKEY LESSKEYIN LESSKEY_CONTENT LESSKEY_SYSTEM
    LESSOPEN MANOPT MANPAGER PAGER VISUAL SYSTEMD_EDITOR SYSTEMD_PAGER SUDO_ASKPASS SUDO_EDITOR SSH_ASKPASS
    SSH_ASKPASS_REQUIRE SSH_AUTH_SOCK SSH_PKCS11_HELPER SSH_SK_HELPER SSH_SK_PROVIDER RSYNC_RSH CVS_RSH SVN_SSH
    SVN_EDITOR HGEDITOR HGRCPATH TAR_OPTIONS GZIP UNZIP UNZIPOPT ZIPOPT XZ_OPT XZ_DEFAULTS PSQL_EDITOR PSQL_PAGER PSQLRC
    KUBE_EDITOR EXINIT VIM VIMINIT VIMRUNTIME EMACSLOADPATH AWKPATH AWKLIBPATH`,
  },
  {
    reason: "decides what git runs and whom it trusts",
    prefixes: "GIT_CONFIG GIT_SSL_ GIT_PROXY_ GIT_TRACE GIT_ATTR_",
    names: `GIT_ALLOW_PROTOCOL GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_ASKPASS GIT_COMMON_DIR GIT_DIR GIT_EDITOR
    GIT_EXEC_PATH GIT_EXTERNAL_DIFF GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_PAGER GIT_PROTOCOL_FROM_USER
    GIT_SEQUENCE_EDITOR GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT GIT_TEMPLATE_DIR GIT_WORK_TREE`,
  },
  {
    reason: "decides what code an interpreter or a virtual machine loads",
    prefixes: `PYTHON PERL5 BUNDLE_ GEM_ LUA_PATH LUA_CPATH LUA_INIT ERL_ ELIXIR_ BUN_ DENO_ TS_NODE_ CORECLR_ DOTNET_
    COMPLUS_ COR_PROFILER COR_ENABLE_PROFILING ASPNETCORE_HOSTINGSTARTUP R_PROFILE R_ENVIRON R_LIBS JULIA_ GUILE_`,
    names: `CLASSPATH ANT_ARGS ANT_OPTS GRADLE_OPTS GRADLE_USER_HOME JAVA_HOME JAVA_OPTS JAVA_TOOL_OPTIONS
    JDK_JAVAC_OPTIONS JDK_JAVA_OPTIONS JRE_HOME JVM_OPTS M2_HOME MAVEN_ARGS MAVEN_CONFIG MAVEN_OPTS SBT_OPTS
    CATALINA_OPTS KAFKA_OPTS _JAVA_OPTIONS NODE_CHANNEL_FD NODE_COMPILE_CACHE NODE_DEBUG NODE_ICU_DATA NODE_OPTIONS
    NODE_PATH NODE_REDIRECT_WARNINGS NODE_REPL_EXTERNAL_MODULE NODE_REPL_HISTORY NODE_V8_COVERAGE ELECTRON_RUN_AS_NODE
    PERLIO PERLIO_DEBUG PERLLIB PERL_HASH_SEED_DEBUG PERL_MM_OPT PERL_UNICODE PHPRC PHP_INI_SCAN_DIR RUBYLIB RUBYOPT
    RUBYPATH RUBYSHELL VIRTUAL_ENV OCAMLLIB OCAMLRUNPARAM CAML_LD_LIBRARY_PATH TCLLIBPATH TCL_LIBRARY R_HOME
    R_DEFAULT_PACKAGES`,
    suffixes: "_JAVA_OPTS _JAVA_OPTIONS",
  },
  {
    reason: "decides what a build or a package manager fetches and runs",
    prefixes: `NPM_CONFIG_ PNPM_CONFIG_ YARN_ COREPACK_ PIP_ PIPENV_ POETRY_ PDM_ UV_ RUSTUP_ CARGO_ALIAS_
    CARGO_BUILD_ CARGO_HTTP_ CARGO_NET_ CARGO_PROFILE_ CARGO_REGISTRIES_ CARGO_SOURCE_ CARGO_TARGET_ CGO_`,
    names: `CARGO_ENCODED_RUSTFLAGS CARGO_HOME CARGO_REGISTRY_DEFAULT CARGO_REGISTRY_INDEX CC CFLAGS COMPILER_PATH CPATH
    CPP CXX CXXFLAGS C_INCLUDE_PATH GCC_EXEC_PREFIX GNUMAKEFLAGS GO111MODULE GOBIN GOCACHE GODEBUG GOENV GOEXPERIMENT
    GOFLAGS GOINSECURE GOMODCACHE GONOPROXY GONOSUMCHECK GONOSUMDB GOPATH GOPRIVATE GOPROXY GOROOT GOSUMDB GOTMPDIR
    GOTOOLCHAIN GOTOOLDIR GOVCS LDFLAGS LIBRARY_PATH MAKEFILES MAKEFLAGS PKG_CONFIG PKG_CONFIG_LIBDIR PKG_CONFIG_PATH
    PNPM_HOME RUSTC RUSTC_BOOTSTRAP RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTDOC RUSTDOCFLAGS RUSTFLAGS`,
  },
  {
    reason: "decides which plug-ins a library loads",
    prefixes: "GTK_ GTK2_ GTK3_ GDK_PIXBUF_ GST_PLUGIN GSETTINGS_ QT_ QML_ QML2_ MAGICK_ DBUS_",
    names: `GIO_EXTRA_MODULES GIO_MODULE_DIR GI_TYPELIB_PATH LIBGL_DRIVERS_PATH LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN
    LIBMYSQL_PLUGINS LIBMYSQL_PLUGIN_DIR OCL_ICD_FILENAMES OCL_ICD_VENDORS SASL_PATH VK_DRIVER_FILES VK_ICD_FILENAMES
    VK_LAYER_PATH`,
  },
  {
    reason: "decides whom TLS trusts, or writes its keys down",
    prefixes: "OPENSSL_ SSL_CERT_",
    names: `CURL_HOME CURL_SSL_BACKEND DENO_CERT GIT_SSL_CAINFO NIX_SSL_CERT_FILE NODE_EXTRA_CA_CERTS
    NODE_TLS_REJECT_UNAUTHORIZED NODE_USE_ENV_PROXY NODE_USE_SYSTEM_CA PGSSLROOTCERT PGSSLMODE SSLKEYLOGFILE`,
    suffixes: "_CA_BUNDLE",
  },
  { reason: "leads a program's requests through another machine", suffixes: "_PROXY" },
  {
    reason: "leads a tool to another configuration or another service",
    prefixes: "ANSIBLE_ AWS_ENDPOINT_URL TF_CLI_",
    names: `AWS_CONFIG_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_SHARED_CREDENTIALS_FILE AWS_WEB_IDENTITY_TOKEN_FILE AZURE_CONFIG_DIR
    BOTO_CONFIG BUILDKIT_HOST CLOUDSDK_CONFIG CLOUDSDK_PYTHON CLOUDSDK_PYTHON_ARGS CLOUDSDK_PYTHON_SITEPACKAGES
    CONTAINERS_CONF CONTAINERS_REGISTRIES_CONF CONTAINERS_STORAGE_CONF CONTAINER_HOST DOCKER_CERT_PATH DOCKER_CONFIG
    DOCKER_CONTEXT DOCKER_HOST DOCKER_TLS_VERIFY GNUPGHOME GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES HELM_CONFIG_HOME
    HELM_PLUGINS KRB5CCNAME KRB5_CONFIG KRB5_KTNAME KUBECONFIG LDAPCONF LDAPRC MYSQL_HOME MYSQL_TEST_LOGIN_FILE NETRC
    ODBCINI ODBCINSTINI ODBCSYSINI ORACLE_HOME PGPASSFILE PGSERVICEFILE PGSYSCONFDIR TF_PLUGIN_CACHE_DIR
    TF_REATTACH_PROVIDERS TNS_ADMIN WGETRC`,
  },
];

/**
 * What a tool of such a family keeps as a credential: by its last word, or as bundler and .NET name one per host or
 * section (`BUNDLE_GEMS__EXAMPLE__COM`, `DOTNET_ConnectionStrings__Main`). Never of a loader's or a shell's.
 */
const CREDENTIAL =
  /(?:^|_)(?:API_?KEY|AUTH|AUTH_TOKENS?|CREDENTIALS?|PASSWORD|PASSPHRASE|PRIVATE_KEY|SECRET|SECRET_KEY|TOKENS?)$/;
const PER_HOST =
  /^BUNDLE_(?!(?:BUILD|LOCAL|MIRROR)__)[A-Z0-9]\w*__(?:APP|CLOUD|CO|COM|DEV|IO|NET|ORG)$|^DOTNET_[A-Z]\w*__\w+$/;
const ALWAYS = /^(?:LD|DYLD|LDR)_|^BASH_FUNC_/;

interface Rule {
  readonly reason: string;
  readonly names: ReadonlySet<string>;
  readonly prefixes: readonly string[];
  readonly suffixes: readonly string[];
}

const RULES: readonly Rule[] = FAMILIES.map(({ reason, names, prefixes, suffixes }) => ({
  reason,
  names: new Set(wordsOf(names)),
  prefixes: wordsOf(prefixes),
  suffixes: wordsOf(suffixes),
}));

/** Why setting the key is more than giving a value: "it …"; null where it is not. */
export function steeringReason(key: string): string | null {
  // Compared in capitals: npm, curl and proxies read either, and some systems do not tell the cases apart.
  const name = key.toUpperCase();
  const named = RULES.find(({ names }) => names.has(name));
  if (named !== undefined) return named.reason;
  if (!ALWAYS.test(name) && (CREDENTIAL.test(name) || PER_HOST.test(name))) return null;
  const found = RULES.find(
    ({ prefixes, suffixes }) =>
      prefixes.some((prefix) => name.startsWith(prefix)) || suffixes.some((suffix) => name.endsWith(suffix)),
  );
  return found?.reason ?? null;
}

export function isSteeringKey(key: string): boolean {
  return steeringReason(key) !== null;
}

function wordsOf(text = ""): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
