/**
 * Restarts that end well and leave a program with what it was started with before. A container keeps the environment
 * that it was made with, pm2 and supervisor keep the one that they read earlier, and a reload or a signal starts nothing.
 * Pure: it knows by the words of a command what can be known, and says nothing of what cannot.
 */
import type { FormatName } from "../formats/formats.ts";
import { CONTAINER_OPTIONS, commandsIn, type SimpleCommand } from "./command-words.ts";
import { afterOptions, type OptionWords } from "./option-words.ts";

export interface KeepsOld {
  /** What it runs, for people: a program and its verb, and no other word of the configuration. */
  readonly what: string;
  readonly why: string;
  /** What to say instead, in lockstep.yaml or as a command. */
  readonly instead: string;
  /** `environment`: a file that its program reads by itself is read again; `plist`: only launchd's own file; `any`: nothing is. */
  readonly concerns: "environment" | "plist" | "any";
}

/** `neutral`: it neither restarts nor reloads anything. `unknown`: it may start something anew. */
type Verdict = KeepsOld | "neutral" | "unknown";

interface File {
  readonly format: FormatName;
  /** False: a person said that the program reads the file itself. */
  readonly asEnvironment?: boolean | undefined;
}

/** Null where nothing is known against the command: it may yet start nothing. */
export function keepsOld(argv: readonly string[], files: readonly File[]): KeepsOld | null {
  const commands = commandsIn(argv);
  const verdicts = commands.map((command) => ({ command, verdict: verdictOn(command) }));
  // What stands after `||` starts something only where the restart did not end well.
  const mayStartAnew = verdicts.some(
    ({ command, verdict }) => verdict === "unknown" && !command.isAlternative,
  );
  if (mayStartAnew) return null;
  const keeping = verdicts.flatMap(({ verdict }) => (typeof verdict === "string" ? [] : [verdict]));
  return keeping.find(({ concerns }) => files.some((file) => isConcerned(file, concerns))) ?? null;
}

const ENVIRONMENTS: ReadonlySet<FormatName> = new Set(["dotenv", "systemd", "shell"]);

function isConcerned({ format, asEnvironment }: File, concerns: KeepsOld["concerns"]): boolean {
  if (concerns === "plist") return format === "plist";
  return concerns === "any" || (ENVIRONMENTS.has(format) && asEnvironment !== false);
}

function verdictOn({ program, args }: SimpleCommand): Verdict {
  if (NEUTRAL.has(program)) return "neutral";
  const judge = Object.hasOwn(PROGRAMS, program) ? PROGRAMS[program] : undefined;
  return judge === undefined ? "unknown" : judge(args, program);
}

const NEUTRAL = new Set(
  `: . [ awk cat cd chgrp chmod chown cp curl cut date echo exit export false git grep head hostname id install jq ls logger
  mkdir mktemp mv nc pgrep printf ps pwd read rm sed seq set sleep source ss sync tail tee test touch tr trap true type
  ulimit umask unset wait wget which whoami`.split(/\s+/),
);

type Judge = (args: readonly string[], program: string) => Verdict;

const CONTAINER = "a container keeps the environment that it was made with";
const NOTHING_ANEW = "it starts no process anew, and a process keeps the environment that it has";
const ALL_READ_ANEW = "restart the service whole, for example with `activate: { systemd: NAME.service }`";

function kept(
  what: string,
  why: string,
  instead: string,
  concerns: KeepsOld["concerns"] = "environment",
): KeepsOld {
  return { what, why, instead, concerns };
}

const CONTAINER_KEEPS = new Set(["restart", "start", "stop", "kill", "pause", "unpause"]);
const CONTAINER_NEUTRAL = new Set(
  "pull push build ps logs config images image inspect info login logout tag wait ls top stats version exec port".split(
    " ",
  ),
);

const container: Judge = (args, program) => {
  const [verb = "", ...rest] = afterOptions(args, CONTAINER_OPTIONS);
  if (verb === "compose") return compose(rest, `${program} compose`);
  if (verb === "container" || verb === "pod") return container(rest, `${program} ${verb}`);
  if (verb === "service" && rest[0] === "update") {
    const givesAnew = rest.some((word) => /^--(?:env|secret|config)-/.test(word));
    return givesAnew
      ? "unknown"
      : kept(
          `${program} service update`,
          "the service keeps the environment that it was made with",
          "`docker stack deploy -c FILE STACK`",
        );
  }
  if (CONTAINER_KEEPS.has(verb))
    return kept(
      `${program} ${verb}`,
      CONTAINER,
      `make the container anew: \`docker compose up -d --force-recreate SERVICE\`, or \`${program.split(" ")[0]} rm -f NAME\` and \`run --env-file FILE\``,
    );
  return CONTAINER_NEUTRAL.has(verb) ? "neutral" : "unknown";
};

const compose: Judge = (args, program) => {
  const [verb = "", ...rest] = afterOptions(args, CONTAINER_OPTIONS);
  const isIdle = verb === "up" && rest.some((word) => word === "--no-recreate" || word === "--no-start");
  if (CONTAINER_KEEPS.has(verb) || isIdle)
    return kept(
      `${program} ${verb}${isIdle ? " without recreating" : ""}`,
      CONTAINER,
      `\`${program} up -d --force-recreate SERVICE\``,
    );
  return CONTAINER_NEUTRAL.has(verb) ? "neutral" : "unknown";
};

const pm2: Judge = (args) => {
  const [verb = "", ...rest] = afterOptions(args, { short: "" });
  // An ecosystem file brings its own environment.
  const namesFile = rest.some((word) => /\.(?:[cm]?js|json5?|ya?ml)$/.test(word));
  if (["restart", "reload", "gracefulReload"].includes(verb) && !args.includes("--update-env"))
    return namesFile
      ? "unknown"
      : kept(
          `pm2 ${verb}`,
          "without --update-env pm2 keeps the environment of the first start",
          "`sh -c 'set -a; . FILE; set +a; pm2 restart NAME --update-env'`",
        );
  if (verb === "sendSignal") return kept("pm2 sendSignal", NOTHING_ANEW, "`pm2 restart NAME --update-env`");
  return ["save", "list", "ls", "status", "flush", "reset"].includes(verb) ? "neutral" : "unknown";
};

const supervisorctl: Judge = (args) => {
  const [verb = ""] = afterOptions(args, {
    short: "csup",
    long: ["configuration", "serverurl", "username", "password"],
  });
  if (["restart", "start", "stop", "signal"].includes(verb))
    return kept(
      `supervisorctl ${verb}`,
      "supervisor reads `environment=` only at `reread` and `update`",
      "`sh -c 'supervisorctl reread && supervisorctl update'`",
    );
  return ["status", "reread", "avail", "pid", "tail"].includes(verb) ? "neutral" : "unknown";
};

const SYSTEMCTL: OptionWords = {
  short: "HMtpson",
  long: "host machine type property state output lines signal kill-who kill-whom job-mode root".split(" "),
};

const systemctl: Judge = (args) => {
  const [verb = ""] = afterOptions(args, SYSTEMCTL);
  const named = args.includes("--user") ? "{ unit: NAME.service, user: true }" : "NAME.service";
  const instead = `\`activate: { systemd: ${named} }\`, which restarts it`;
  if (/^(?:(?:try-)?reload(?:-or-(?:try-)?restart)?|force-reload|start|thaw)$/.test(verb))
    return kept(
      `systemctl ${verb}`,
      verb === "start" ? "it leaves a service that runs as it is" : NOTHING_ANEW,
      instead,
    );
  if (verb === "kill" && namesHarmlessSignal(args)) return kept("systemctl kill", NOTHING_ANEW, instead);
  return /^(?:daemon-re(?:load|exec)|is-.*|status|show|cat|enable|reenable|reset-failed|list-.*)$/.test(verb)
    ? "neutral"
    : "unknown";
};

/** `service NAME verb`, `/etc/init.d/NAME verb`: the last word is the verb in each. */
const service: Judge = (args, program) => {
  const verb =
    args.find((word) => /^(?:(?:force-)?reload|graceful|start|restart|stop|status)$/.test(word)) ?? "";
  if (verb === "status") return "neutral";
  if (!["reload", "force-reload", "graceful", "start"].includes(verb)) return "unknown";
  return kept(
    `${program} … ${verb}`,
    verb === "start" ? "it leaves a service that runs as it is" : NOTHING_ANEW,
    ALL_READ_ANEW,
  );
};

const HARMLESS = /^(?:SIG)?(?:HUP|USR1|USR2|WINCH|CONT|0|1|10|12)$/i;

/** A signal by which a program is told something, and does not end. */
function namesHarmlessSignal(args: readonly string[]): boolean {
  return args.some((word, at) => {
    const before = args[at - 1] ?? "";
    if (["-s", "-n", "--signal"].includes(before)) return HARMLESS.test(word);
    return HARMLESS.test(/^(?:--signal=|-s(?=[A-Z])|-)(\w+)$/.exec(word)?.[1] ?? "");
  });
}

const signal: Judge = (args, program) =>
  namesHarmlessSignal(args) ? kept(`${program} with a signal`, NOTHING_ANEW, ALL_READ_ANEW) : "unknown";

const KUBECTL: OptionWords = {
  short: "nlfosv",
  long: "namespace context kubeconfig cluster user server token as selector filename output request-timeout".split(
    " ",
  ),
};

const kubectl: Judge = (args, program) => {
  const [verb = "", kind = ""] = afterOptions(args, KUBECTL);
  const isRestart = verb === "rollout" && kind === "restart";
  const remakesPods = (verb === "delete" && /^(?:po|pods?)(?:$|\/)/.test(kind)) || verb === "scale";
  if (isRestart || remakesPods)
    return kept(
      isRestart ? `${program} rollout restart` : `${program} ${verb}`,
      "the pods take what their Secret holds, and nothing puts the file's content into it",
      `\`sh -c '${program} create secret generic NAME --from-env-file=FILE --dry-run=client -o yaml | ${program} apply -f - && ${program} rollout restart deployment/NAME'\``,
      "any",
    );
  return ["get", "describe", "logs", "wait", "rollout", "version", "config", "auth", "top"].includes(verb)
    ? "neutral"
    : "unknown";
};

/** `k3s kubectl …`, `microk8s kubectl …`. */
const aroundKubectl: Judge = (args) =>
  args[0] === "kubectl" ? kubectl(args.slice(1), "kubectl") : "unknown";

const launchctl: Judge = (args) => {
  const [verb = ""] = args;
  if (verb === "kickstart" && !args.includes("-k"))
    return kept(
      "launchctl kickstart without -k",
      "it leaves a job that runs as it is",
      "`activate: { launchd: LABEL }`",
    );
  if (["kickstart", "start", "stop", "kill"].includes(verb))
    return kept(
      `launchctl ${verb}`,
      "launchd starts the job as it was loaded, not as its plist says now",
      "`activate: { launchd: LABEL }`, which loads the job anew",
      "plist",
    );
  return ["print", "list", "blame"].includes(verb) ? "neutral" : "unknown";
};

/** Programs that tell their running master by one of these words to read its files again. */
function reloads(words: RegExp, neutral = /^(?:-t|-T|-v|-V|configtest|validate|status)$/): Judge {
  return (args, program) => {
    const word = args.find((one) => words.test(one));
    if (word !== undefined) return kept(`${program} ${word}`, NOTHING_ANEW, ALL_READ_ANEW);
    return args.some((one) => neutral.test(one)) ? "neutral" : "unknown";
  };
}

const apache = reloads(/^(?:graceful|restart|reload)$/);
const nginx = reloads(/^(?:reload|reopen|-sreload|-sreopen)$/);
const circus: Judge = (args, program) =>
  /^(?:restart|reload|start)$/.test(args[0] ?? "")
    ? kept(
        `${program} ${args[0] ?? ""}`,
        "it keeps the environment that it read at its own start",
        ALL_READ_ANEW,
      )
    : "unknown";

const PROGRAMS: Readonly<Record<string, Judge>> = {
  docker: container,
  podman: container,
  nerdctl: container,
  "docker-compose": compose,
  "podman-compose": compose,
  pm2,
  supervisorctl,
  systemctl,
  service,
  "rc-service": service,
  "invoke-rc.d": service,
  rcctl: service,
  kill: signal,
  pkill: signal,
  killall: signal,
  kubectl,
  oc: kubectl,
  k3s: aroundKubectl,
  microk8s: aroundKubectl,
  launchctl,
  nginx,
  openresty: nginx,
  angie: nginx,
  apachectl: apache,
  apache2ctl: apache,
  httpd: apache,
  apache2: apache,
  caddy: reloads(/^reload$/),
  uwsgi: reloads(/^--reload$/),
  postfix: reloads(/^reload$/),
  pg_ctl: reloads(/^reload$/),
  pg_ctlcluster: reloads(/^reload$/),
  initctl: reloads(/^reload$/),
  sv: reloads(/^(?:hup|reload|1|2|start|up|cont)$/),
  "s6-svc": reloads(/^-(?:h|1|2|u|c)$/),
  circusctl: circus,
  forever: circus,
};
