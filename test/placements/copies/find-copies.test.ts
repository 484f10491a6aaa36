/** Where a host holds copies of what is kept on it, and which one wins: real files, real sh, each layout as people have it. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalHost } from "../../../src/adapters/hosts/local/local-host.ts";
import { activateSchema } from "../../../src/adapters/placements/activation/config.ts";
import { createCopyFinder } from "../../../src/adapters/placements/copies/find-copies.ts";
import { PROFILES } from "../../../src/adapters/placements/copies/known-places.ts";
import type { FormatName } from "../../../src/adapters/placements/formats/formats.ts";
import { copyInterest } from "../../../src/core/copies/recognise.ts";
import type { FoundCopy } from "../../../src/core/ports/copies.ts";
import type { DesiredSlot } from "../../../src/core/reconcile/plan-change.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { childEnvironment } from "../../../src/lib/child-environment.ts";
import { type FakeSystemctl, makeFakeSystemctl } from "../../support/fake-systemctl.ts";
import { itWhere } from "../../support/it-where.ts";

const V4 = "value-four-4444444444==";
const V5 = "value-five-5555555555==";
const FOREIGN = "somebody-elses-0000";

let home: string;
let systemctl: FakeSystemctl;
let host: LocalHost;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-copies-")));
  systemctl = makeFakeSystemctl(home);
  const environment = childEnvironment(process.env, {
    HOME: home,
    PATH: `${systemctl.directory}:${process.env["PATH"] ?? ""}`,
  });
  host = new LocalHost({ environment });
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

/** Answers the absolute path. */
function put(path: string, text: string): string {
  const at = path.startsWith("/") ? path : join(home, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  return at;
}

interface Layout {
  readonly file: string;
  readonly format: FormatName;
  readonly key?: string;
  readonly mode?: string;
  readonly activate?: object;
  readonly alsoCheck?: readonly string[];
  readonly others?: readonly { readonly file: string; readonly format: FormatName; readonly key: string }[];
}

const slot = (bindingId: string, placement: string, key: string): DesiredSlot => ({
  bindingId,
  secretId: "secret",
  slot: "primary",
  placement,
  key,
  version: 5,
  value: SecretValue.of(V5),
  owned: true,
  takeOver: false,
  settledVersion: 5,
  others: new Map([[4, SecretValue.of(V4)]]),
});

async function look({
  file,
  format,
  key = "TOKEN",
  mode = "0600",
  activate,
  alsoCheck = [],
  others = [],
}: Layout) {
  const finder = createCopyFinder(host, {
    files: [
      { path: file, format, mode },
      ...others.map((one) => ({ path: one.file, format: one.format, mode: "0600" })),
    ],
    activate: activate === undefined ? null : activateSchema.parse(activate),
    alsoCheck,
    profiles: PROFILES.filter((path) => path.startsWith("~")),
  });
  const slots = [
    slot("kept", file, key),
    ...others.map((one) => slot(`kept ${one.file}`, one.file, one.key)),
  ];
  const same = (known: SecretValue, value: SecretValue) => known.reveal() === value.reveal();
  return await finder.find(copyInterest(slots, same), AbortSignal.timeout(20_000));
}

const short = ({ file, line, key, version, wins }: FoundCopy) =>
  `${file.replace(home, "~")}:${line ?? "-"} ${key ?? "-"} ${version ?? "foreign"}${wins ? " wins" : ""}`;

describe("a unit of systemd", () => {
  const UNIT = { systemd: "app.service" };
  /** With the kept file as its environment file, and a drop-in. */
  function unit(service: string, dropIn?: string): { readonly file: string } {
    const file = put("env/app.env", `TOKEN="${V5}"\n`);
    const fragment = put(
      "systemd/app.service",
      `[Unit]\nDescription=x\n[Service]\n${service.replaceAll("KEPT", file)}\n`,
    );
    const dropIns = dropIn === undefined ? [] : [put("systemd/app.service.d/override.conf", dropIn)];
    systemctl.setFiles(fragment, dropIns);
    return { file };
  }

  it.each<[string, string, string | undefined, readonly string[]]>([
    ["has its file alone", "EnvironmentFile=KEPT", undefined, []],
    [
      "sets it too, and the file wins",
      `Environment=TOKEN=${V4}\nEnvironmentFile=KEPT`,
      undefined,
      ["~/systemd/app.service:4 TOKEN 4"],
    ],
    [
      "does not read the file any more: a drop-in took it back and sets an older value",
      "EnvironmentFile=-KEPT",
      `[Service]\nEnvironmentFile=\nEnvironment="TOKEN=${V4}" OTHER=x\n`,
      ["~/systemd/app.service.d/override.conf:3 TOKEN 4 wins"],
    ],
    [
      "reads a later file, which wins",
      "EnvironmentFile=KEPT\nEnvironmentFile=-%h/env/late.env",
      undefined,
      ["~/env/late.env:2 TOKEN foreign wins"],
    ],
    [
      "reads the kept file last",
      "EnvironmentFile=-%h/env/late.env\nEnvironmentFile=KEPT",
      undefined,
      ["~/env/late.env:2 TOKEN foreign"],
    ],
    [
      "takes the variable away at last",
      "EnvironmentFile=KEPT\nEnvironmentFile=%h/env/late.env\nUnsetEnvironment=TOKEN",
      undefined,
      ["~/env/late.env:2 TOKEN foreign"],
    ],
    [
      "holds it under another name, over joined lines",
      `EnvironmentFile=KEPT\nEnvironment=A=1 \\\n # a remark\n 'B=${V5}'`,
      undefined,
      ["~/systemd/app.service:5 B 5"],
    ],
    [
      "sets it in a section that is not the process's",
      `EnvironmentFile=KEPT\n[X-Other]\nEnvironment=TOKEN=${V4}`,
      undefined,
      ["~/systemd/app.service:6 - 4"],
    ],
    [
      "gives it to its program in words as well",
      `EnvironmentFile=KEPT\nEnvironment=B=1\nExecStart=/bin/app --token=${V5}`,
      undefined,
      ["~/systemd/app.service:6 - 5"],
    ],
  ])("%s", async (_name, service, dropIn, expected) => {
    put("env/late.env", `# late\nTOKEN=${FOREIGN}\n`);
    const { file } = unit(service, dropIn);
    const { copies } = await look({ file, format: "systemd", activate: UNIT });
    expect(copies.map(short)).toEqual(expected);
  });

  it("of the user is read from that user's manager, with what the manager's own environment is made of", async () => {
    const user = { systemd: { unit: "app.service", user: true } };
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    systemctl.setFiles(put("etc/app.service", `[Service]\nEnvironment=TOKEN=${FOREIGN}\n`));
    const fragment = put(".config/systemd/user/app.service", `[Service]\nEnvironment=TOKEN=${V4}\n`);
    systemctl.setFiles(fragment, [], "user");
    put(".config/environment.d/50-app.conf", `OTHER=x\nTOKEN=${V4}\n`);
    const { copies } = await look({ file, format: "dotenv", activate: user });
    expect(copies.map(short).sort()).toEqual([
      "~/.config/environment.d/50-app.conf:2 TOKEN 4",
      "~/.config/systemd/user/app.service:2 TOKEN 4 wins",
    ]);
    // The system's unit of the same name is another one, and no manager of a user is asked about it.
    const ofSystem = await look({ file, format: "dotenv", activate: UNIT });
    expect(ofSystem.copies.map(short)).toEqual(["~/etc/app.service:2 TOKEN foreign wins"]);
  });

  it("of the user reads the kept file by a specifier of user units, and so lets it win", async () => {
    const file = put(".config/app/env", `TOKEN="${V5}"\n`);
    const text = `[Service]\nEnvironment=TOKEN=${V4}\nEnvironmentFile=%E/app/env\n`;
    systemctl.setFiles(put(".config/systemd/user/app.service", text), [], "user");
    const activate = { systemd: { unit: "app.service", user: true } };
    const { copies } = await look({ file, format: "systemd", activate });
    expect(copies.map(short)).toEqual(["~/.config/systemd/user/app.service:2 TOKEN 4"]);
  });

  it("of the user whose manager does not run is not taken for the system's", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    systemctl.setFiles(put("etc/app.service", `[Service]\nEnvironment=TOKEN=${FOREIGN}\n`));
    systemctl.stopUserManager("Failed to connect to bus: No such file or directory");
    const user = { systemd: { unit: "app.service", user: true } };
    expect((await look({ file, format: "dotenv", activate: user })).copies).toEqual([]);
  });

  it("wins over a `.env` that the program reads by itself, which leaves what is set", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    systemctl.setFiles(put("systemd/app.service", `[Service]\nEnvironment=TOKEN=${V4}\n`));
    const { copies } = await look({ file, format: "dotenv", activate: UNIT });
    expect(copies).toMatchObject([{ kind: "unit", line: 2, version: 4, wins: true, alone: true }]);
  });

  it("does not win over what a start script sources", async () => {
    const file = put("app/secrets.sh", `export TOKEN='${V5}'\n`);
    systemctl.setFiles(put("systemd/app.service", `[Service]\nEnvironment=TOKEN=${V4} B=2\n`));
    const { copies } = await look({ file, format: "shell", activate: UNIT });
    expect(copies).toMatchObject([{ kind: "unit", version: 4, wins: false, alone: false }]);
  });

  it("is looked at although links lead there and others may read it", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    const real = put("vendor/app.service", `[Service]\nEnvironment=TOKEN=${V4}\n`);
    chmodSync(real, 0o644);
    const link = join(home, "app.service");
    symlinkSync(real, link);
    systemctl.setFiles(link);
    const { copies } = await look({ file, format: "dotenv", activate: UNIT });
    expect(copies.map(short)).toEqual(["~/app.service:2 TOKEN 4 wins"]);
  });
});

describe("a job of launchd", () => {
  const plist = (environment: string) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>Label</key><string>com.example.app</string>\n<key>EnvironmentVariables</key><dict>${environment}</dict></dict></plist>\n`;
  const entry = (value: string) => `<key>TOKEN</key>\n<string>${value}</string>`;
  const JOB = "Library/LaunchAgents/com.example.app.plist";

  it("wins with its plist over a `.env`, and a shell's profile does not", async () => {
    put(JOB, plist(entry(V4)));
    put(".zshenv", `# tokens\nexport TOKEN="${V4}"\n`);
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    const { copies } = await look({ file, format: "dotenv", activate: { launchd: "com.example.app" } });
    expect(copies.map(short).sort()).toEqual([`~/${JOB}:4 TOKEN 4 wins`, "~/.zshenv:2 TOKEN 4"].sort());
  });

  it("that is kept itself has no other copy than the profile's", async () => {
    put(JOB, plist(entry(V5)));
    put(".zprofile", `export TOKEN=${FOREIGN}; export B=1\n`);
    const { copies } = await look({
      file: `~/${JOB}`,
      format: "plist",
      activate: { launchd: "com.example.app" },
    });
    expect(copies.map(short)).toEqual(["~/.zprofile:1 TOKEN foreign"]);
  });
});

describe("a compose file", () => {
  it.each<[string, string, readonly string[]]>([
    ["as a map", `    environment:\n      TOKEN: ${V4}\n`, ["~/app/compose.yaml:6 TOKEN 4 wins"]],
    ["as a list", `    environment:\n      - "TOKEN=${V4}"\n`, ["~/app/compose.yaml:6 TOKEN 4 wins"]],
    ["taken from elsewhere", "    environment:\n      TOKEN: $" + "{TOKEN}\n      B:\n", []],
  ])("wins with `environment` over `env_file`: %s", async (_name, environment, expected) => {
    const file = put("app/app.env", `TOKEN='${V5}'\n`);
    put("app/compose.yaml", `services:\n  web:\n    image: app\n    env_file: app.env\n${environment}`);
    const { copies, unread } = await look({ file, format: "dotenv", alsoCheck: ["~/app/compose.yaml"] });
    expect(copies.map(short)).toEqual(expected);
    expect(unread).toEqual([]);
  });

  it("of another service does not win", async () => {
    const file = put("app/app.env", `TOKEN='${V5}'\n`);
    put(
      "app/compose.yml",
      `services:\n  a:\n    env_file: [app.env]\n  b:\n    environment: {TOKEN: ${V4}}\n`,
    );
    const { copies } = await look({ file, format: "dotenv", alsoCheck: ["~/app/compose.yml"] });
    expect(copies.map(short)).toEqual(["~/app/compose.yml:5 TOKEN 4"]);
  });
});

describe("OpenClaw", () => {
  it("has its token in the configuration, its backup, its `.env`, its unit: each is named, and none wins", async () => {
    const file = "~/.openclaw/openclaw.json";
    const config = (token: string, remote: string) =>
      JSON.stringify({ gateway: { auth: { mode: "token", token }, remote: { token: remote } } }, null, 2);
    put(".openclaw/openclaw.json", config(V5, V4));
    put(".openclaw/openclaw.json.bak", config(V4, V4));
    put(".openclaw/.env", `OPENCLAW_GATEWAY_TOKEN=${V4}\n`);
    put(
      ".config/systemd/user/openclaw-gateway.service",
      `[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=${V4}\n`,
    );
    put("Library/LaunchAgents/ai.openclaw.gateway.plist", "<plist><dict/></plist>");
    const { copies } = await look({ file, format: "json", key: "gateway.auth.token" });
    expect(copies.map(short).sort()).toEqual(
      [
        "~/.openclaw/openclaw.json:8 gateway.remote.token 4",
        "~/.openclaw/openclaw.json.bak:5 gateway.auth.token 4",
        "~/.openclaw/openclaw.json.bak:5 gateway.remote.token 4",
        "~/.openclaw/.env:1 OPENCLAW_GATEWAY_TOKEN 4",
        "~/.config/systemd/user/openclaw-gateway.service:2 - 4",
      ].sort(),
    );
  });

  it("behind a file of its own: what that file holds elsewhere is named", async () => {
    put(".openclaw/secrets/gw-token", `${V5}\n`);
    put(".openclaw/secrets/gw-token.bak", `${V4}\n`);
    put(".openclaw/openclaw.json", JSON.stringify({ gateway: { auth: { token: V4 } } }));
    const { copies } = await look({ file: "~/.openclaw/secrets/gw-token", format: "raw", key: "value" });
    expect(copies.map(short).sort()).toEqual([
      "~/.openclaw/openclaw.json:1 gateway.auth.token 4",
      "~/.openclaw/secrets/gw-token.bak:1 - 4",
    ]);
  });
});

describe("what is searched", () => {
  it("says of each whether every user of the host may read it", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    chmodSync(put("app/.env.bak", `TOKEN=${V5}\n`), 0o604);
    chmodSync(put("app/.env.old", `TOKEN=${V5}\n`), 0o640);
    chmodSync(put("app.service", `[Service]\nEnvironment=TOKEN=${V5}\n`), 0o600);
    systemctl.setFiles(join(home, "app.service"));
    const { copies } = await look({ file, format: "dotenv", activate: { systemd: "app.service" } });
    expect(copies.map(({ file: at, open }) => [at.replace(home, "~"), open])).toEqual([
      ["~/app.service", true],
      ["~/app/.env.bak", true],
      ["~/app/.env.old", false],
    ]);
  });

  it("holds other people's values, of which nothing is told", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\nDATABASE=postgres://x\n`);
    put("app/.env.bak", `DATABASE=${FOREIGN}\nURL=https://x.test/?token=${V4}&b=1\nSHORT=5\n`);
    const { copies } = await look({ file, format: "dotenv" });
    expect(copies.map(short)).toEqual(["~/app/.env.bak:2 - 4"]);
    expect(JSON.stringify(copies)).not.toContain(FOREIGN);
  });

  it("computes it from elsewhere, which may be the very kept value: no copy", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    put(".zshenv", 'export TOKEN="$(pass show token)"\n');
    put(".zprofile", "export TOKEN=$(cat ~/.token)\n");
    put(".bashrc", `export TOKEN="${FOREIGN}"\n`);
    const { copies } = await look({ file, format: "dotenv" });
    expect(copies.map(short)).toEqual(["~/.bashrc:1 TOKEN foreign"]);
  });

  itWhere(process.getuid?.() === 0)(
    "is told where a group can read it that is not its owner's, unless that is meant",
    async () => {
      const NOGROUP = 65_534;
      const file = put("app/.env", `TOKEN='${V5}'\n`);
      const copy = put("app/.env.bak", `TOKEN='${V4}'\n`);
      const unrelated = put("app/.env.old", "OTHER=1\n");
      for (const path of [file, copy, unrelated]) {
        chmodSync(path, 0o640);
        chownSync(path, 0, NOGROUP);
      }
      expect((await look({ file, format: "dotenv" })).shared).toEqual([
        { file, group: "nogroup" },
        { file: copy, group: "nogroup" },
      ]);
      expect((await look({ file, format: "dotenv", mode: "0640" })).shared).toEqual([
        { file: copy, group: "nogroup" },
      ]);
      chownSync(file, 0, 0);
      chmodSync(copy, 0o600);
      expect((await look({ file, format: "dotenv" })).shared).toEqual([]);
    },
  );

  it("is told where it could not be, and why", async () => {
    const file = put("app/.env", `TOKEN='${V5}'\n`);
    mkdirSync(join(home, "a-directory"));
    put("large", "x".repeat(300_000));
    const alsoCheck = ["~/not-there", "~/a-directory", "~/large"];
    const { unread } = await look({ file, format: "dotenv", alsoCheck });
    expect(unread).toEqual([
      { file: "~/not-there", reason: "it does not exist" },
      { file: "~/a-directory", reason: "it is not a plain file" },
      { file: "~/large", reason: "it is larger than 256 KiB" },
    ]);
  });

  it("never counts what another binding keeps there", async () => {
    const a = put("env/a.env", `TOKEN="${V5}"\n`);
    const b = put("env/b.env", `TOKEN="${V5}"\n`);
    systemctl.setFiles(put("systemd/app.service", `[Service]\nEnvironmentFile=${a}\nEnvironmentFile=${b}\n`));
    const others = [{ file: b, format: "systemd" as const, key: "TOKEN" }];
    const { copies } = await look({
      file: a,
      format: "systemd",
      activate: { systemd: "app.service" },
      others,
    });
    expect(copies).toEqual([]);
  });
});
