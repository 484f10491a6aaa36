/** Where a worker shows its metrics: nowhere unless told, and on this machine unless another address is named. */
import { expect, it } from "vitest";
import { toLockstepError } from "../../src/core/errors.ts";
import { readSettings } from "../../src/settings/settings.ts";

const listenerOf = (listen?: string) =>
  readSettings({}, listen === undefined ? {} : { LOCKSTEP_METRICS_LISTEN: listen }).metricsListener;

it("is nowhere unless told, and loopback unless an address is named", () => {
  expect(listenerOf()).toBeNull();
  expect(listenerOf("9464")).toEqual({ address: "127.0.0.1", port: 9464 });
  expect(listenerOf("10.0.0.5:9464")).toEqual({ address: "10.0.0.5", port: 9464 });
  expect(listenerOf("[::]:0")).toEqual({ address: "::", port: 0 });
});

it.each(["", "http://127.0.0.1:9464", "65536", "127.0.0.1:", "9464/metrics"])("is not %j", (listen) => {
  if (listen === "") return expect(listenerOf(listen)).toBeNull();
  try {
    listenerOf(listen);
  } catch (error) {
    return expect(toLockstepError(error).message).toContain("LOCKSTEP_METRICS_LISTEN");
  }
  throw new Error("it was not refused");
});
