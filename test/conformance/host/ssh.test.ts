import { lacks } from "../../support/servers.ts";
import { startSshKit } from "../../support/ssh-kit.ts";
import { hostConformance } from "./suite.ts";

hostConformance({
  name: "a machine over SSH",
  lacking: lacks("sshd"),
  async start() {
    const kit = await startSshKit();
    return { host: kit.host, directory: kit.directory, home: kit.sshd.home, stop: () => kit.stop() };
  },
});
