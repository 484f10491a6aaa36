/** A file that cannot be edited is named: a target may have several. */
import { expect, it } from "vitest";
import { applyToFiles, observeFiles } from "../../src/adapters/placements/placement.ts";
import type { Host } from "../../src/core/ports/host.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

const WINDOWS = "export TOKEN='one'\r\n";
const PATH = "/srv/app/start-env.sh";
const files = [
  { path: "/srv/app/env", format: "dotenv", mode: "0600" },
  { path: PATH, format: "shell", mode: "0600" },
] as const;
const host = {
  read: async () => ({
    state: "present",
    content: Buffer.from(WINDOWS),
    digest: "",
    mode: 0o600,
    order: null,
  }),
} as unknown as Host;
const never = new AbortController().signal;
const named = {
  code: "TARGET_REFUSED",
  message: `${PATH}: The shell file cannot be edited safely: it has Windows line ends, which shells take for a part of values.`,
  hint: expect.stringContaining("sed -i"),
};

it("where it is read", async () => {
  const addresses = files.map(({ path }) => ({ placement: path, key: "TOKEN" }));
  await expect(observeFiles(host, files, addresses, never)).rejects.toMatchObject(named);
});

it("where it would be written", async () => {
  const change = { set: [{ placement: PATH, key: "TOKEN", value: SecretValue.of("two") }], unset: [] };
  const order = { storeId: "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b", epoch: 1, generation: 1, digest: null };
  await expect(applyToFiles(host, files, change, order, never)).rejects.toMatchObject(named);
});
