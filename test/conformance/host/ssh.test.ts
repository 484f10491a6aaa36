import { SshHost } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import { lacks } from "../../support/servers.ts";
import { destinationOf, startSshKit } from "../../support/ssh-kit.ts";
import { hostConformance } from "./suite.ts";

for (const helper of [true, false]) {
  hostConformance({
    name: helper ? "a machine over SSH" : "a machine over SSH, by the script alone,",
    lacking: lacks("sshd"),
    async start() {
      const kit = await startSshKit();
      const host = new SshHost(kit.connections, destinationOf(kit.sshd), { helper });
      return { host, directory: kit.directory, home: kit.sshd.home, stop: () => kit.stop() };
    },
  });
}
