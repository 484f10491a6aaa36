import { expect, it } from "vitest";
import { composeEnvironments } from "../../../src/adapters/placements/copies/compose-environment.ts";

const assigned = (text: string) =>
  composeEnvironments(text, "/srv/compose.yaml").flatMap((service) =>
    service.assigned.map(({ key, value, line }) => `${line} ${key}=${value.reveal()}`),
  );

it("what aliases would make a huge file of is searched no further, and nothing breaks", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [name, of] of ["ba", "cb", "dc", "ed", "fe"].map((pair) => [...pair]))
    bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${of}`).join(", ")}]`);
  const service = "services:\n  app:\n    environment:\n      TOKEN: value\n";
  expect(assigned(service)).toEqual(["4 TOKEN=value"]);
  expect(assigned(`${bomb.join("\n")}\n${service}`)).toEqual([]);
});

it("what is interpolated comes from elsewhere; a dollar that is written twice is one", () => {
  const service =
    "services:\n  app:\n    environment:\n      - A=${TOKEN}\n      - B=$$five\n      - C=x$TOKEN\n      - D\n";
  expect(assigned(service)).toEqual(["5 B=$five"]);
});
