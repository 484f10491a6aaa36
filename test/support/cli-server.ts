/** A server for a suite of the command line, and the command line at it as an administrator. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { AppContext } from "../../src/app/base/context.ts";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { type Ran, type RunOptions, runCli } from "./cli-kit.ts";
import { createHttpKit, type HttpKit } from "./http-kit.ts";

export interface CliServer {
  readonly http: HttpKit;
  /** What the command line finds it by. A test may put another token there; the next one finds the administrator's. */
  readonly env: Record<"LOCKSTEP_URL" | "LOCKSTEP_TOKEN", string>;
  /** For files of this suite. */
  readonly directory: string;
  /** `line`: words between blanks. */
  cli(line: string, options?: RunOptions): Promise<Ran>;
}

/** One for all tests of the suite. `contextOf` is asked once, when the database is there. */
export function useCliServer(contextOf: () => AppContext): CliServer {
  const directory = join(tmpdir(), `lockstep-cli-${randomUUID()}`);
  const env = { LOCKSTEP_URL: "", LOCKSTEP_TOKEN: "" };
  let http: HttpKit;
  let admin: string;
  beforeAll(async () => {
    mkdirSync(directory, { mode: 0o700 });
    http = await createHttpKit(contextOf());
    env.LOCKSTEP_URL = (await http.server.listen(0)).url;
    admin = await http.token(...LOCAL_ADMIN_SCOPES);
  });
  afterAll(async () => {
    await http.server.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    env.LOCKSTEP_TOKEN = admin;
  });
  return {
    get http() {
      return http;
    },
    env,
    directory,
    cli: (line, options = {}) => runCli(line.split(" "), { ...options, env: { ...env, ...options.env } }),
  };
}
