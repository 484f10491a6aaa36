/** Started by `keys.test.ts`. */
import { newEncryptionKey, newSigningKey } from "../../../src/protocol/agent/keys.ts";

for (let count = 0; count < 3_000; count += 1) {
  newSigningKey();
  newEncryptionKey();
}
process.stdout.write("made\n");
