import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exposingOptions } from "../../src/adapters/telemetry/hardening.ts";
import { createLogger } from "../../src/adapters/telemetry/logger.ts";
import { createScrubber } from "../../src/adapters/telemetry/scrubber.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

describe("the scrubber", () => {
  it("removes a value in every form in which it could reach a log", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 60, unit: "grapheme" }), (value) => {
        const scrubber = createScrubber();
        scrubber.know(value);
        const base64 = Buffer.from(value).toString("base64");
        const forms = [
          value,
          JSON.stringify(value),
          JSON.stringify(JSON.stringify(value)),
          encodeURIComponent(value),
          value.replaceAll("'", "'\\''"),
          base64,
          Buffer.from(value).toString("base64url"),
        ];
        for (const form of forms) {
          const clean = scrubber.scrub(`before ${form} after`);
          expect(clean).toContain("[scrubbed]");
          if (value.trim().length > 5)
            expect(clean.includes(value)).toBe("[scrubbed] before after".includes(value));
        }
      }),
    );
  });

  it("leaves other text alone, and does not turn short words into holes", () => {
    const scrubber = createScrubber();
    scrubber.know("abc");
    scrubber.know("a-long-secret");
    expect(scrubber.scrub("abc and nothing else")).toBe("abc and nothing else");
  });

  it("the log hides values by construction, and scrubs what was passed openly", () => {
    const lines: string[] = [];
    const scrubber = createScrubber();
    scrubber.know('canary-"77"-value');
    const log = createLogger({ level: "debug", scrubber, write: (line) => lines.push(line) });
    log.warn("event", {
      deep: { er: { value: SecretValue.of("canary-hidden") } },
      careless: 'canary-"77"-value',
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("canary");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ event: "event", careless: "[scrubbed]" });
  });
});

describe("a start that would expose memory", () => {
  it("is recognised from options and NODE_OPTIONS", () => {
    expect(exposingOptions(["--inspect-brk=0"], "")).toEqual(["--inspect-brk=0"]);
    expect(exposingOptions([], "--max-old-space-size=200 --heapsnapshot-signal=SIGUSR2")).toEqual([
      "--heapsnapshot-signal=SIGUSR2",
    ]);
    expect(exposingOptions(["--import", "tsx"], "--enable-source-maps")).toEqual([]);
  });

  it("is refused with exit code 64; DEBUG is dropped otherwise", () => {
    const file = new URL("../../src/adapters/telemetry/hardening.ts", import.meta.url).pathname;
    const print = `await import(${JSON.stringify(file)}); process.stdout.write(String(process.env.DEBUG))`;
    const run = (env: Record<string, string>): string =>
      execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", print], {
        env: { ...process.env, ...env },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(run({ DEBUG: "*", NODE_DEBUG: "http" })).toBe("undefined");
    expect(() => run({ NODE_OPTIONS: "--heapsnapshot-signal=SIGUSR2" })).toThrow(
      expect.objectContaining({ status: 64 }),
    );
  });
});
