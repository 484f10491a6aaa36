import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalHost } from "../../../src/adapters/hosts/local/local-host.ts";
import { childEnvironment } from "../../../src/lib/child-environment.ts";
import { hostConformance } from "./suite.ts";

hostConformance({
  name: "this machine",
  async start() {
    const home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-local-")));
    const directory = join(home, "app");
    mkdirSync(directory, { mode: 0o700 });
    return {
      host: new LocalHost({ environment: childEnvironment(process.env, { HOME: home }) }),
      directory,
      home,
      stop: async () => rmSync(home, { recursive: true }),
    };
  },
});
