import { describe } from "vitest";
import { startGatewayDouble } from "../../support/openclaw-double.ts";
import { rotates } from "./rotates.ts";

describe.skipIf(process.platform !== "linux")("the gateway's double, with its token", () => {
  describe("in its configuration", () => {
    rotates("value", (home, token) => startGatewayDouble(home, token));
  });
  describe("in a file of its own", () => {
    rotates("reference", (home, token) => startGatewayDouble(home, token, { layout: "reference" }));
  });
});
