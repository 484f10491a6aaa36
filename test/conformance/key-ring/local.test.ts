import { createLocalKeyRing } from "../../../src/adapters/crypto/local-key-ring.ts";
import { describeKeyRing } from "./suite.ts";

const over = (byte: number) => createLocalKeyRing(new Uint8Array(32).fill(byte));

describeKeyRing("a root key", async () => ({
  ring: over(1),
  again: () => over(1),
  other: () => over(2),
  rotate: null,
  close: async () => {},
}));
