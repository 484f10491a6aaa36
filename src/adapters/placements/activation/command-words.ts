/**
 * What an argument list runs in the end: programs by their bare names, through wrappers (`sudo`, `timeout`, `docker
 * exec`) and shells (`sh -c`). Pure. It reads as much of the shell's language as such commands use (quotes, `&&`, `;`,
 * redirections), never expands anything, and what it cannot see through stays an unknown program.
 */
import { afterOptions, type OptionWords } from "./option-words.ts";
import { shellCommands } from "./shell-words.ts";

export interface SimpleCommand {
  /** Without its directory. */
  readonly program: string;
  readonly args: readonly string[];
  /** It stands after `||`: it runs only where the command before it failed. */
  readonly isAlternative: boolean;
}

const MAX_DEPTH = 8;
const SHELLS = new Set(["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"]);

interface Wrapper extends OptionWords {
  /** Words of its own before the wrapped program: a duration, a lock file, a container's name. */
  readonly own?: number;
  /** Its option whose value is a shell's text. */
  readonly text?: string;
  /** What is left is joined, and a shell reads it. */
  readonly joins?: boolean;
}

const WRAPPERS: Readonly<Record<string, Wrapper>> = {
  sudo: {
    short: "ughpCDRTUrt",
    long: ["user", "group", "host", "prompt", "chdir", "chroot", "role", "type"],
  },
  doas: { short: "uC" },
  env: { short: "uC", long: ["unset", "chdir"] },
  nice: { short: "n", long: ["adjustment"] },
  ionice: { short: "cn", long: ["class", "classdata"] },
  chrt: { own: 1 },
  taskset: { own: 1 },
  timeout: { short: "sk", long: ["signal", "kill-after"], own: 1 },
  nohup: {},
  setsid: {},
  stdbuf: { short: "ioe", long: ["input", "output", "error"] },
  time: { short: "fo", long: ["format", "output"] },
  exec: { short: "a" },
  command: {},
  builtin: {},
  busybox: {},
  toybox: {},
  npx: { short: "p", long: ["package"] },
  bunx: {},
  chronic: {},
  caffeinate: { short: "tw" },
  unbuffer: {},
  gosu: { own: 1 },
  "su-exec": { own: 1 },
  setuidgid: { own: 1 },
  "s6-setuidgid": { own: 1 },
  chroot: { own: 1 },
  nsenter: { short: "tSG", long: ["target", "setuid", "setgid"] },
  xargs: {
    short: "aEIiLnPsd",
    long: ["arg-file", "delimiter", "max-args", "max-procs", "max-lines", "replace"],
  },
  flock: { short: "wE", long: ["timeout", "conflict-exit-code"], own: 1, text: "c" },
  "systemd-run": {
    short: "pMHEu",
    long: ["unit", "property", "uid", "gid", "setenv", "slice", "description"],
  },
  runuser: { short: "ugGsc", long: ["user", "group", "shell", "command"], text: "c" },
  su: { short: "gGsc", long: ["group", "shell", "command"], text: "c" },
  ssh: { short: "BbcDEeFIiJLlmOopQRSWw", own: 1, joins: true },
  eval: { joins: true },
};

/** `docker exec NAME program`, `docker compose exec SERVICE program`: what runs within is what counts. */
const WITHIN: Wrapper = {
  short: "euw",
  long: ["env", "env-file", "user", "workdir", "index", "detach-keys"],
  own: 1,
};
const CONTAINERS = new Set(["docker", "podman", "nerdctl", "docker-compose", "podman-compose"]);
export const CONTAINER_OPTIONS: OptionWords = {
  short: "cHlfp",
  long: [
    ..."config context host log-level tlscacert tlscert tlskey connection url identity root namespace".split(
      " ",
    ),
    ..."file project-name profile env-file project-directory ansi progress parallel".split(" "),
  ],
};
const KEYWORDS = new Set("if then else elif fi while until do done { } ( ) !".split(" "));

const INIT_SCRIPT = /^(?:\/usr\/local)?\/etc\/(?:init|rc)\.d\/[^/]+$/;

/** All commands that it may run, in order. */
export function commandsIn(argv: readonly string[]): readonly SimpleCommand[] {
  return unwrap(argv, false, 0);
}

function unwrap(given: readonly string[], isAlternative: boolean, depth: number): readonly SimpleCommand[] {
  const start = given.findIndex((word) => !KEYWORDS.has(word) && !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word));
  const words = start < 0 ? [] : given.slice(start);
  const [first, ...following] = words;
  if (first === undefined) return [];
  // A script of init's is `service` by another name.
  const isInit = INIT_SCRIPT.test(first);
  const program = isInit ? "service" : bareName(first);
  const args = isInit ? [bareName(first), ...following] : following;
  const plain = [{ program, args, isAlternative }];
  if (depth >= MAX_DEPTH) return plain;
  const inText = (text: string) =>
    shellCommands(text).flatMap((one) => unwrap(one.words, isAlternative || one.isAlternative, depth + 1));
  if (SHELLS.has(program)) {
    const text = textAfter(args, "c");
    return text === null ? plain : inText(text);
  }
  if (program === "env" && args.some((word) => /^(?:-S|--split-string)/.test(word))) {
    return inText(args.map((word) => word.replace(/^(?:-[a-z]*S|--split-string=?)/, "")).join(" "));
  }
  const inContainer = CONTAINERS.has(program) ? execWithin(args) : null;
  if (inContainer !== null) return inner(inContainer, WITHIN);
  const wrapper = Object.hasOwn(WRAPPERS, program) ? WRAPPERS[program] : undefined;
  if (wrapper === undefined) return plain;
  const text = wrapper.text === undefined ? null : textAfter(args, wrapper.text);
  return text === null ? inner(args, wrapper) : inText(text);

  function inner(rest: readonly string[], options: Wrapper): readonly SimpleCommand[] {
    const own = afterOptions(rest, options);
    const wrapped = own.slice(options.own ?? 0);
    const found =
      options.joins === true
        ? inText(wrapped.join(" "))
        : unwrap(skipDashes(wrapped), isAlternative, depth + 1);
    return found.length === 0 ? plain : found;
  }
}

/** The words after `exec`; null where it is another verb. */
function execWithin(args: readonly string[]): readonly string[] | null {
  let rest = afterOptions(args, CONTAINER_OPTIONS);
  if (rest[0] === "compose" || rest[0] === "container") rest = afterOptions(rest.slice(1), CONTAINER_OPTIONS);
  return rest[0] === "exec" ? rest.slice(1) : null;
}

/** The text that follows an option such as `-c`, also within `-euc`, and before the first word that is none. */
function textAfter(args: readonly string[], letter: string): string | null {
  const at = args.findIndex((word) => new RegExp(`^-[A-Za-z]*${letter}$`).test(word) || word === "--command");
  if (at < 0) return args.find((word) => word.startsWith("--command="))?.slice("--command=".length) ?? null;
  const rest = args.slice(at + 1);
  // Shells take further options between `-c` and its text.
  return rest.find((word) => !/^[-+]/.test(word)) ?? null;
}

function skipDashes(words: readonly string[]): readonly string[] {
  return words[0] === "--" ? words.slice(1) : words;
}

function bareName(word: string): string {
  return word.slice(word.lastIndexOf("/") + 1);
}
