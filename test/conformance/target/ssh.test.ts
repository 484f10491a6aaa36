import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { FORMATS } from "../../../src/adapters/placements/formats/formats.ts";
import { closeSshConnections, sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import {
  type FakeSystemctl,
  makeFakeSystemctl,
  RUNNING,
  startsProcess,
} from "../../support/fake-systemctl.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";
import { lacks } from "../../support/servers.ts";
import { until } from "../../support/ssh-kit.ts";
import { type RunningSshd, startSshd } from "../../support/sshd.ts";
import { CANARY, type PlaceFault, type PlaceUnderTest, type TargetConformance } from "./place.ts";
import { targetConformance } from "./suite.ts";

/** Many times what it takes to see that a file was replaced. */
const ANSWER_DELAY_MS = 60;

const servers = new Map<boolean, Promise<RunningSshd>>();
let unitHost: Promise<UnitHost> | undefined;
let count = 0;

const common: Omit<TargetConformance, "name" | "start"> = {
  kind: sshKind,
  lacking: lacks("sshd"),
  badKeys: ["with-dash", "1ST", ""],
  cannot: {
    "throttles-write": "a host has no such answer",
    "silent-on-write":
      "a silent line is waited for until the caller's deadline; see test/hosts/ssh/faults.test.ts",
    "silent-on-read":
      "a silent line is waited for until the caller's deadline; see test/hosts/ssh/faults.test.ts",
  },
};

targetConformance({
  ...common,
  name: "a host over SSH",
  start: () => startPlace({ restarts: true, sftpOnly: false }),
  failActivation: async (place) => {
    writeFileSync(`${place.address("").placement}.fail`, "");
  },
});

targetConformance({
  ...common,
  name: "a host over SSH whose unit is systemd's",
  showsRunning: true,
  start: startUnitPlace,
  failActivation: async (place) => {
    writeFileSync(`${place.address("").placement}.fail`, "");
  },
});

targetConformance({
  ...common,
  name: "a host over SSH that only stores",
  start: () => startPlace({ restarts: false, sftpOnly: false }),
});

targetConformance({
  ...common,
  name: "a host with SFTP alone",
  start: () => startPlace({ restarts: false, sftpOnly: true }),
  cannot: { ...common.cannot, "loses-answer-to-write": "its requests cannot be told apart from outside" },
});

afterAll(async () => {
  await closeSshConnections();
  for (const server of servers.values()) await (await server).stop();
  await (await unitHost)?.stop();
});

interface UnitHost {
  readonly sshd: RunningSshd;
  readonly systemctl: FakeSystemctl;
  stop(): Promise<void>;
}

/** Its systemctl is a stand-in; the process that it starts is real, and has the file's keys as its environment. */
async function startUnitHost(): Promise<UnitHost> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-unit-")));
  const systemctl = makeFakeSystemctl(root);
  const sshd = await startSshd({
    lines: [`SetEnv PATH=${systemctl.directory}:/usr/local/bin:/usr/bin:/bin`],
  });
  return {
    sshd,
    systemctl,
    stop: async () => {
      await sshd.stop();
      rmSync(root, { recursive: true });
    },
  };
}

async function startUnitPlace(): Promise<PlaceUnderTest> {
  unitHost ??= startUnitHost();
  const { sshd, systemctl } = await unitHost;
  const { proxy, path } = await newPlace(sshd);
  systemctl.set(RUNNING);
  systemctl.onRestart(startsProcess(path));
  const place = placeAt(
    { sshd, proxy, path, format: "systemd", sftpOnly: false },
    { systemd: "app.service" },
  );
  return {
    ...place,
    stop: async () => {
      await proxy.stop();
      systemctl.endProcess();
    },
  };
}

async function startPlace(told: { restarts: boolean; sftpOnly: boolean }): Promise<PlaceUnderTest> {
  const starting = servers.get(told.sftpOnly) ?? startSshd({ sftpOnly: told.sftpOnly });
  servers.set(told.sftpOnly, starting);
  const sshd = await starting;
  const { proxy, path } = await newPlace(sshd);
  const place = { sshd, proxy, path, format: "dotenv", sftpOnly: told.sftpOnly } as const;
  return placeAt(
    place,
    told.restarts ? { command: ["/usr/bin/test", "!", "-e", `${path}.fail`] } : undefined,
  );
}

/** A directory and a line of its own, on a host that the suite's places share. */
async function newPlace(sshd: RunningSshd): Promise<Pick<Place, "proxy" | "path">> {
  count += 1;
  const directory = join(sshd.home, `place-${count}`);
  mkdirSync(directory, { mode: 0o700 });
  return { proxy: await startFaultProxy(sshd.port), path: join(directory, "env") };
}

interface Place {
  readonly sshd: RunningSshd;
  readonly proxy: FaultProxy;
  readonly path: string;
  readonly format: "dotenv" | "systemd";
  readonly sftpOnly: boolean;
}

function placeAt({ sshd, proxy, path, format, sftpOnly }: Place, activate?: object): PlaceUnderTest {
  const ssh = {
    host: sshd.host,
    port: proxy.port,
    user: sshd.user,
    hostKey: sshd.hostKey,
    privateKey: sshd.clientKey.privateKey,
    sftpOnly,
  };
  // A command proves nothing by itself.
  const health =
    activate !== undefined && "command" in activate ? { health: { command: ["/bin/true"] } } : {};
  const rest = { files: [{ path, format }], ...(activate === undefined ? {} : { activate }), ...health };
  const text = () => (existsSync(path) ? readFileSync(path, "utf8") : null);
  return {
    raw: { ssh, ...rest },
    rawWithUnknownKey: { ssh: { ...ssh, unknown: CANARY }, ...rest },
    address: (key) => ({ placement: path, key }),
    stored: async (key) => FORMATS[format].read(text() ?? "", [key]).get(key) ?? null,
    put: async (key, value) => {
      writeFileSync(path, FORMATS[format].write(text(), new Map([[key, value]])), { mode: 0o600 });
    },
    writes: async () => null,
    fault: (fault) => hurt(fault, proxy, path),
    stop: () => proxy.stop(),
  };
}

async function hurt(fault: PlaceFault, proxy: FaultProxy, path: string): Promise<void> {
  if (fault === "is-gone") await proxy.stop();
  if (fault === "refuses-write") {
    if (!existsSync(path)) writeFileSync(path, "");
    chmodSync(path, 0o644);
  }
  if (fault === "loses-answer-to-write") {
    const before = existsSync(path) ? statSync(path).ino : null;
    // In the background, because the write comes after this returns: its effect is seen while its answer is on the way.
    proxy.delay(ANSWER_DELAY_MS);
    void (async () => {
      await until(() => existsSync(path) && statSync(path).ino !== before);
      proxy.cut();
      proxy.delay(0);
    })();
  }
}
