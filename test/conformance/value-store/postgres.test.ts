import { createLocalKeyRing } from "../../../src/adapters/crypto/local-key-ring.ts";
import { createSealer } from "../../../src/adapters/crypto/sealer.ts";
import { createSealedValues } from "../../../src/adapters/values/sealed-values.ts";
import { describeValueStore } from "./suite.ts";

const store = createSealedValues(createSealer([createLocalKeyRing(new Uint8Array(32).fill(5))]));
describeValueStore("Postgres", () => store);
