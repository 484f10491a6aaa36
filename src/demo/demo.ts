/**
 * `lockstep demo`: the story that Lockstep was made for, told by the product itself. Real services, a real server, the
 * real command line; only Railway is simulated, and the SSH server where the machine has none. It happens in a
 * temporary directory on free loopback ports, touches nothing of the user's, and leaves nothing behind.
 *
 * Promises: every command that is shown is run, and what it printed is shown; `ok` is true only if each chapter's
 * assertion held; no value of a secret is ever written to the terminal.
 */
import { join } from "node:path";
import { shellQuote } from "../lib/shell-quote.ts";
import { Calls } from "./calls.ts";
import { callsTable } from "./calls-table.ts";
import { diagnose } from "./chapters/diagnosis.ts";
import { cause } from "./chapters/outage.ts";
import { recall } from "./chapters/record.ts";
import { repair } from "./chapters/repair.ts";
import { rotate } from "./chapters/rotation.ts";
import { setUp } from "./chapters/setup.ts";
import { createHostPlace } from "./places/host.ts";
import { createMiniPlace } from "./places/mini.ts";
import { createRailwayPlace } from "./places/railway.ts";
import { Product } from "./product.ts";
import { type DemoResult, nothingYet } from "./result.ts";
import { Screen, secondsText, type Terminal } from "./screen.ts";
import { Stage } from "./stage.ts";
import type { Story } from "./story.ts";

export interface DemoOptions {
  readonly terminal: Terminal;
  /** The user's own; only what children may inherit is passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pauses: boolean;
  /** After the story everything stays, until the signal. */
  readonly keep: boolean;
  readonly sshServer: "auto" | "stand-in";
  readonly signal: AbortSignal;
}

interface Telling extends DemoOptions {
  readonly screen: Screen;
  readonly stage: Stage;
  readonly result: DemoResult;
  readonly chapter: <Value>(name: string, title: string, work: () => Promise<Value>) => Promise<Value>;
}

const READING_MS = 1_200;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { signal } = options;
  const screen = new Screen(options.terminal, options);
  const result = nothingYet();
  const startedAt = performance.now();
  const chapter: Telling["chapter"] = async (name, title, work) => {
    const from = performance.now();
    screen.chapter(result.steps.length + 1, title);
    try {
      return await work();
    } finally {
      const ms = Math.round(performance.now() - from);
      result.steps.push({ name, ms });
      screen.chapterEnd(ms);
    }
  };
  const stage = new Stage(options.environment);
  try {
    await tell({ ...options, screen, stage, result, chapter });
    result.ok = true;
  } catch (error) {
    const reason = error instanceof Error ? error.message : "of something unknown";
    result.failure = signal.aborted ? "it was interrupted" : reason;
  }
  await chapter("clean-up", "Everything is ended and removed", async () => {
    result.leftOver = await stage.close();
  });
  result.totalMs = Math.round(performance.now() - startedAt);
  conclude(screen, result);
  return result;
}

async function tell(telling: Telling): Promise<void> {
  const { screen, stage, result, chapter, signal } = telling;
  const projectDirectory = stage.room("project");
  const product = new Product({
    stage,
    screen,
    dataDirectory: join(stage.directory, "data"),
    workingDirectory: projectDirectory,
    signal,
  });
  const story = await chapter("setup", "Services that trust each other by one secret", async () => {
    const built = await build(telling, product, projectDirectory);
    result.sshServer = built.host.ssh.server;
    await setUp(built, projectDirectory);
    return built;
  });
  await screen.pause(READING_MS);
  const brokenAt = performance.now();
  await chapter("outage", "One copy is changed by hand", () => cause(story));
  await screen.pause(READING_MS);
  const command = await chapter("diagnosis", "Who is wrong, and why?", () => diagnose(story));
  result.command = command;
  await screen.pause(READING_MS);
  await chapter("repair", "The repair", () => repair(story, command));
  result.outageMs = Math.round(performance.now() - brokenAt);
  result.refusedBefore = story.calls.tally(brokenAt).refused;
  await screen.pause(READING_MS);
  const tally = await chapter("rotation", "A rotation", () => rotate(story));
  result.refusedDuringRotation = tally.refused;
  result.lostDuringRotation = tally.lost;
  result.mismatchMs = tally.refusedForMs;
  await screen.pause(READING_MS);
  await chapter("record", "What happened is on record", () => recall(story));
  if (telling.keep) await keepUntilInterrupted(telling, story);
  else await screen.pause(READING_MS);
}

async function build(telling: Telling, product: Product, projectDirectory: string): Promise<Story> {
  const { screen, stage, signal, sshServer } = telling;
  const calls = await Calls.start(["api", "worker", "gateway"], (all) =>
    callsTable(all, performance.now() - 10_000, screen).join("\n"),
  );
  stage.atEnd(() => calls.close());
  const [railway, host, mini] = await Promise.all([
    createRailwayPlace(stage, "api"),
    createHostPlace({ stage, service: "worker", projectDirectory, server: sshServer, signal }),
    createMiniPlace(stage, "gateway", signal),
  ]);
  return { screen, product, calls, railway, host, mini, signal };
}

async function keepUntilInterrupted({ screen, signal, stage }: Telling, story: Story): Promise<void> {
  screen.say();
  screen.say("Everything goes on until Ctrl-C here. In another terminal:");
  const lines = [
    ...story.product.asShellLines(),
    `cd ${shellQuote(join(stage.directory, "project"))}`,
    "lockstep status",
    `curl ${story.calls.url} # who calls whom, answered how`,
  ];
  screen.output(lines.join("\n"));
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function conclude(screen: Screen, result: DemoResult): void {
  screen.say();
  if (!result.ok) {
    screen.say(`${screen.paint("bad", "The demo did not end well")}: ${result.failure ?? ""}`);
    return;
  }
  const total = secondsText(result.totalMs);
  screen.say(result.steps.map(({ name, ms }) => `${name} ${secondsText(ms)}`).join(", "));
  screen.say(
    `${screen.paint("good", "All of it held")}, in ${total}. The outage lasted ${secondsText(result.outageMs ?? 0)} ` +
      "from the change by hand to the last answered call; the one that this was made for took nine hours.",
  );
}
