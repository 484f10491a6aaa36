import { describe, expect, it } from "vitest";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { createScrubber } from "../../src/adapters/telemetry/scrubber.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

function recordingLog(...secrets: readonly string[]) {
  const lines: string[] = [];
  const scrubber = createScrubber();
  for (const secret of secrets) scrubber.know(secret);
  const log = createLogger({ level: "debug", scrubber, write: (line) => lines.push(line) });
  return { log, lines, entry: (): unknown => JSON.parse(lines.at(-1) ?? "") };
}

describe("the log", () => {
  it("hides values by construction, and scrubs what was passed openly", () => {
    const { log, lines, entry } = recordingLog('canary-"77"-value');
    log.warn("event", {
      deep: { er: { secret: SecretValue.of("canary-hidden") } },
      careless: 'canary-"77"-value',
      ['key canary-"77"-value']: 1,
    });
    log.warn('event canary-"77"-value');
    expect(lines.join("")).not.toContain("canary");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      level: "warn",
      event: "event",
      careless: "[scrubbed]",
      deep: { er: { secret: "[secret]" } },
    });
    expect(entry()).toMatchObject({ event: "event [scrubbed]" });
  });

  it("writes what our own errors say, and of foreign ones only a code", () => {
    const { log, entry } = recordingLog();
    const foreign = Object.assign(new Error("canary in the message"), {
      code: "ECONNREFUSED",
      body: "canary",
    });
    const telling = Object.assign(new Error("x"), { code: "canary code" });
    const ours = new LockstepError("TARGET_UNREACHABLE", "Cannot reach.", { details: { target: "api" } });
    log.error("failed", { foreign, telling, ours, cause: { err: foreign }, err: foreign });
    expect(entry()).toMatchObject({
      foreign: { code: "ECONNREFUSED" },
      telling: { code: "FOREIGN" },
      ours: { code: "TARGET_UNREACHABLE", message: "Cannot reach.", details: { target: "api" } },
      err: { code: "ECONNREFUSED" },
    });
    expect(JSON.stringify(entry())).not.toContain("canary");
  });

  it("writes no bytes and no field that is named like a credential", () => {
    const { log, lines } = recordingLog();
    log.info("x", {
      buffer: Buffer.from("canary"),
      bytes: new Uint8Array([99, 97, 110]),
      password: "canary",
      headers: { Authorization: "canary", cookie: "canary" },
      list: [{ private_key: "canary" }],
      map: new Map([["value", "canary"]]),
    });
    expect(lines.join("")).not.toMatch(/canary|99,97|Y2Fu/);
  });

  it("survives cycles, depth and odd things", () => {
    const { log, entry } = recordingLog();
    const circle: Record<string, unknown> = {
      big: 12n,
      run: () => "canary",
      at: new Date(0),
      bad: new Date(Number.NaN),
    };
    circle["self"] = circle;
    log.info("odd", { circle });
    expect(entry()).toMatchObject({
      circle: { big: "12", run: "[omitted]", at: "1970-01-01T00:00:00.000Z", bad: null },
    });
  });

  it("steers no terminal, and stays JSON", () => {
    const { log, lines, entry } = recordingLog();
    const text = "a\u001b[2J\u009b2J\u202eb\u2066c\u{e0041}\u2028d";
    log.info(text, { from: text });
    expect(lines[0]?.trimEnd()).toMatch(/^[\u0020-\u007e]*$/);
    expect(entry()).toMatchObject({ event: text, from: text });
  });

  it("finds a value with invisible characters before they are escaped", () => {
    const { log, entry } = recordingLog("cana\u200bry-value");
    log.info("x", { careless: "cana\u200bry-value" });
    expect(entry()).toMatchObject({ careless: "[scrubbed]" });
  });
});
