/**
 * A stand-in for launchctl and launchd: a real program on the host's PATH that starts real processes, and keeps a job
 * as it was loaded, so that `kickstart` after an edit of the plist comes up with the old environment, as launchd's does.
 *
 * Where its words come from: subcommands, domains and `-k` from launchctl(1) (macOS 10.10 and later); the layout of
 * `print`, with tabs, `path`, `state`, `pid`, `last exit code` and blocks in braces, from outputs posted for 10.10 to 14
 * (for example wazuh/wazuh-packages#2206); exit code 113 with "Could not find service" from
 * DeterminateSystems/nix-installer#960; `bootstrap` failing with "5: Input/output error" while the label drains from
 * pirj/noclamshell#25; `bootout` of what is not loaded ending with "3: No such process" from launchctl's own table
 * (`launchctl error 3`).
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FakeLaunchctl {
  /** To be put first on PATH. */
  readonly directory: string;
  /** How often the next `bootstrap` calls fail because the label is still draining. */
  drains(times: number): void;
  /** Every call, one line of arguments each. */
  calls(): readonly string[];
  /** The process of a job, or null. */
  pidOf(target: string): number | null;
  /** Ends every process that it started. */
  stop(): void;
}

const PROGRAM = (directory: string, plist: string): string => `
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { parse } from ${JSON.stringify(plist)};
const [verb, ...words] = process.argv.slice(2);
const file = ${JSON.stringify(join(directory, "state.json"))};
const state = JSON.parse(readFileSync(file, "utf8"));
appendFileSync(${JSON.stringify(join(directory, "calls"))}, [verb, ...words].join(" ") + "\\n");
const end = (code, text = "") => {
  writeFileSync(file, JSON.stringify(state));
  if (text !== "") process.stderr.write(text + "\\n");
  process.exit(code);
};
const alive = (pid) => {
  try {
    // A child of nobody who waits stays a zombie in some containers.
    return !/^State:\\s+Z/m.test(readFileSync("/proc/" + pid + "/status", "utf8"));
  } catch {
    return false;
  }
};
const missing = (target) => {
  const label = target.split("/").at(-1);
  const domain = target.startsWith("system") ? "system" : "user gui: " + target.split("/")[1];
  return 'Could not find service "' + label + '" in domain for ' + domain;
};
const start = (job) => {
  const child = spawn(job.plist.ProgramArguments[0], job.plist.ProgramArguments.slice(1), {
    detached: true, stdio: "ignore", cwd: "/", env: job.plist.EnvironmentVariables ?? {},
  });
  child.unref();
  job.pid = child.pid;
  job.runs += 1;
  state.started.push(child.pid);
};
const kill = (job, signal = "SIGKILL") => {
  if (job.pid !== null && alive(job.pid)) process.kill(job.pid, signal);
};
const target = words.at(-1);
const job = state.jobs[target];
switch (verb) {
  case "print": {
    if (job === undefined) end(113, "Bad request.\\n" + missing(target));
    const runs = job.pid !== null && alive(job.pid);
    const environment = Object.entries(job.plist.EnvironmentVariables ?? {}).map(([k, v]) => "\\t\\t" + k + " => " + v);
    process.stdout.write([
      target + " = {",
      "\\tactive count = " + (runs ? 1 : 0),
      "\\tpath = " + job.path,
      "\\ttype = LaunchAgent",
      "\\tstate = " + (runs ? "running" : "not running"),
      "", "\\tprogram = " + job.plist.ProgramArguments[0],
      "\\targuments = {", ...job.plist.ProgramArguments.map((word) => "\\t\\t" + word), "\\t}", "",
      "\\tenvironment = {", ...environment, "\\t\\tXPC_SERVICE_NAME => " + job.plist.Label, "\\t}", "",
      "\\tdomain = gui/501 [100005]", "\\tminimum runtime = 10", "\\texit timeout = 5", "\\truns = " + job.runs,
      ...(runs ? ["\\tpid = " + job.pid, "\\timmediate reason = speculative"] : []),
      "\\tlast exit code = " + (job.runs === 0 ? "(never exited)" : runs && job.runs === 1 ? "(never exited)" : job.exit), "",
      "\\tspawn type = daemon (3)", "\\tendpoints = {", "\\t\\tpid = 1", "\\t\\tstate = active", "\\t}", "}", "",
    ].join("\\n"));
    end(0);
  }
  case "bootout":
    if (job === undefined) end(3, "Boot-out failed: 3: No such process");
    kill(job);
    delete state.jobs[target];
    end(0);
  case "bootstrap": {
    const plist = parse(readFileSync(words[1], "utf8"));
    const name = words[0] + "/" + plist.Label;
    if (state.drains > 0 || state.jobs[name] !== undefined) {
      state.drains -= 1;
      end(5, "Bootstrap failed: 5: Input/output error\\nTry re-running the command as root for richer errors.");
    }
    const made = { path: words[1], plist, pid: null, runs: 0, exit: 0 };
    state.jobs[name] = made;
    if (plist.RunAtLoad === true || plist.KeepAlive === true) start(made);
    end(0);
  }
  case "enable":
    end(0);
  case "kickstart":
    if (job === undefined) end(113, missing(target));
    if (words[0] === "-k") kill(job);
    start(job);
    end(0);
  case "kill":
    if (job === undefined) end(113, missing(target));
    kill(job, words[0]);
    end(0);
  default:
    end(64, "Unrecognized subcommand: " + verb);
}
`;

export function makeFakeLaunchctl(home: string): FakeLaunchctl {
  const directory = join(home, "fake-launchctl");
  mkdirSync(directory, { mode: 0o755 });
  const at = (name: string) => join(directory, name);
  const plist = new URL("../../node_modules/plist/dist/index.js", import.meta.url).href;
  writeFileSync(at("launchctl.mjs"), PROGRAM(directory, plist));
  writeFileSync(at("launchctl"), `#!/bin/sh\nexec ${process.execPath} ${at("launchctl.mjs")} "$@"\n`);
  chmodSync(at("launchctl"), 0o755);
  writeFileSync(at("calls"), "");
  interface State {
    drains: number;
    readonly jobs: Record<string, { readonly pid: number | null }>;
    readonly started: readonly number[];
  }
  const read = () => JSON.parse(readFileSync(at("state.json"), "utf8")) as State;
  const write = (state: State) => writeFileSync(at("state.json"), JSON.stringify(state));
  write({ drains: 0, jobs: {}, started: [] });
  return {
    directory,
    drains: (times) => write({ ...read(), drains: times }),
    calls: () => readFileSync(at("calls"), "utf8").trim().split("\n"),
    pidOf: (target) => read().jobs[target]?.pid ?? null,
    stop() {
      for (const pid of read().started) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended already.
        }
      }
    },
  };
}
