import { describe } from "vitest";
import { startRealGateway } from "../../support/openclaw.ts";
import { findServer, lacks } from "../../support/servers.ts";
import { rotates } from "./rotates.ts";

describe.skipIf(process.platform !== "linux" || lacks("openclaw"))("the real gateway, with its token", () => {
  const entry = findServer("openclaw") ?? "";
  describe("in its configuration", () => {
    rotates("value", (home, token) => startRealGateway(entry, home, token));
  });
  describe("in a file of its own", () => {
    rotates("reference", (home, token) => startRealGateway(entry, home, token, "reference"));
  });
});
