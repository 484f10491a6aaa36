import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandsIn } from "../../src/adapters/placements/activation/command-words.ts";
import { activateSchema, healthSchema, provenBy } from "../../src/adapters/placements/activation/config.ts";
import { keepsOld } from "../../src/adapters/placements/activation/old-environment.ts";
import { remarksOn } from "../../src/adapters/placements/activation/remarks.ts";
import { shellCommands } from "../../src/adapters/placements/activation/shell-words.ts";

const ENV = [{ format: "dotenv" }] as const;
const sh = (text: string): readonly string[] => ["/bin/sh", "-c", text];
const words = (line: string): readonly string[] => line.split(" ");

/** Each ends well, and leaves the service with what it had. */
const KEEPING: readonly (readonly [readonly string[], string])[] = [
  [words("/usr/bin/docker restart app"), "docker restart"],
  [words("/usr/bin/docker container restart -t 5 app"), "docker container restart"],
  [words("/usr/bin/docker --context c restart app"), "docker restart"],
  [words("/usr/bin/docker -H tcp://127.0.0.1:2375 restart app"), "docker restart"],
  [words("/usr/bin/docker start app"), "docker start"],
  [words("/usr/bin/docker kill -s HUP app"), "docker kill"],
  [words("/usr/bin/docker compose restart"), "docker compose restart"],
  [words("/usr/bin/docker compose -f x.yml --env-file .env -p shop restart app"), "docker compose restart"],
  [words("/usr/bin/docker compose --profile web restart app"), "docker compose restart"],
  [words("/usr/bin/docker compose up -d --no-recreate app"), "docker compose up without recreating"],
  [words("/usr/local/bin/docker-compose -f x.yml restart app"), "docker-compose restart"],
  [words("/usr/bin/podman restart --all"), "podman restart"],
  [words("/usr/bin/podman-compose restart app"), "podman-compose restart"],
  [words("/usr/bin/nerdctl compose restart app"), "nerdctl compose restart"],
  [words("/usr/bin/docker service update --force web"), "docker service update"],
  [words("/usr/bin/docker exec app kill -HUP 1"), "kill with a signal"],
  [words("/usr/bin/docker compose exec -T app nginx -s reload"), "nginx reload"],
  [words("/usr/bin/pm2 restart app"), "pm2 restart"],
  [words("/usr/bin/pm2 reload all"), "pm2 reload"],
  [words("/usr/bin/npx pm2 restart app"), "pm2 restart"],
  [words("/usr/bin/supervisorctl -c /etc/s.conf restart app"), "supervisorctl restart"],
  [words("/usr/bin/supervisorctl restart all"), "supervisorctl restart"],
  [words("/usr/bin/systemctl reload app.service"), "systemctl reload"],
  [words("/usr/bin/systemctl --user reload-or-restart app"), "systemctl reload-or-restart"],
  [words("/usr/bin/systemctl start app"), "systemctl start"],
  [words("/usr/bin/systemctl kill -s HUP app"), "systemctl kill"],
  [words("/usr/sbin/service nginx reload"), "service … reload"],
  [words("/etc/init.d/app reload"), "service … reload"],
  [words("/usr/sbin/rc-service app reload"), "rc-service … reload"],
  [words("/bin/kill -HUP 123"), "kill with a signal"],
  [words("/bin/kill -s SIGHUP 123"), "kill with a signal"],
  [words("/bin/kill -1 123"), "kill with a signal"],
  [words("/usr/bin/pkill -HUP -f app"), "pkill with a signal"],
  [words("/usr/bin/pkill --signal USR1 app"), "pkill with a signal"],
  [words("/usr/bin/killall -s HUP app"), "killall with a signal"],
  [words("/usr/sbin/nginx -s reload"), "nginx reload"],
  [words("/usr/sbin/apachectl -k graceful"), "apachectl graceful"],
  [words("/usr/sbin/apachectl restart"), "apachectl restart"],
  [words("/usr/bin/caddy reload --config x"), "caddy reload"],
  [words("/usr/bin/kubectl -n shop rollout restart deployment/app"), "kubectl rollout restart"],
  [words("/usr/bin/kubectl delete pod -l app=x"), "kubectl delete"],
  [words("/usr/local/bin/k3s kubectl rollout restart deploy app"), "kubectl rollout restart"],
  [words("/usr/bin/sudo -n -u deploy /usr/bin/docker restart app"), "docker restart"],
  [words("/usr/bin/env A=b C=d /usr/bin/docker compose restart"), "docker compose restart"],
  [words("/usr/bin/env -i PATH=/bin docker restart app"), "docker restart"],
  [["/usr/bin/env", "-S", "docker restart app"], "docker restart"],
  [words("/usr/bin/nice -n 10 /usr/bin/timeout -k 5 30s docker restart app"), "docker restart"],
  [words("/usr/bin/nohup /usr/bin/setsid -w docker restart app"), "docker restart"],
  [words("/usr/bin/flock -w 10 /run/lock docker restart app"), "docker restart"],
  [["/usr/bin/flock", "/run/lock", "-c", "docker restart app"], "docker restart"],
  [["/bin/su", "-", "deploy", "-c", "cd /srv && docker compose restart"], "docker compose restart"],
  [["/usr/sbin/runuser", "-u", "deploy", "--", "docker", "restart", "app"], "docker restart"],
  [words("/usr/bin/ssh -p 22 host docker restart app"), "docker restart"],
  [words("/usr/bin/busybox timeout 5 docker restart app"), "docker restart"],
  [sh("docker restart app"), "docker restart"],
  [["/bin/bash", "-euo", "pipefail", "-c", "docker restart app"], "docker restart"],
  [["/bin/bash", "-lc", "docker restart app"], "docker restart"],
  [["/usr/bin/sudo", "sh", "-c", "cd /srv/app && docker compose restart app"], "docker compose restart"],
  [
    sh("cd /srv && docker compose pull -q; docker compose restart >/dev/null 2>&1 && echo done"),
    "docker compose restart",
  ],
  [sh("if test -e x; then 'docker' \"restart\" app; fi"), "docker restart"],
  [sh("( docker restart app ) & wait"), "docker restart"],
  [sh("docker restart app || docker compose up -d app"), "docker restart"],
  [sh("$(which docker) restart app"), "docker restart"],
  [sh("`command -v docker` restart app"), "docker restart"],
  [sh("set -a; . /srv/.env; set +a; pm2 restart app"), "pm2 restart"],
  [sh("kill -HUP $(cat /run/app.pid)"), "kill with a signal"],
  [sh("kill -HUP `cat /run/app.pid`"), "kill with a signal"],
  [sh('sh -c "sh -c \\"docker restart app\\""'), "docker restart"],
  [sh("eval 'docker restart app'"), "docker restart"],
  [sh("docker ps -q | xargs -r docker restart"), "docker restart"],
  [sh("docker stop app && docker start app"), "docker stop"],
  [sh("supervisorctl reread; supervisorctl restart app"), "supervisorctl restart"],
];

/** Each may start the service with the new value, or nothing is known of it. */
const UNKNOWN: readonly (readonly string[])[] = [
  words("/usr/bin/docker compose up -d"),
  words("/usr/bin/docker compose up -d --force-recreate app"),
  words("/usr/bin/docker --context restart compose up -d"),
  words("/usr/bin/docker compose -f restart up -d"),
  words("/usr/bin/docker service update --env-add A=b web"),
  words("/usr/bin/pm2 restart app --update-env"),
  words("/usr/bin/pm2 restart ecosystem.config.js"),
  words("/usr/bin/supervisorctl update"),
  words("/usr/bin/supervisorctl reload"),
  words("/usr/bin/systemctl restart app.service"),
  words("/usr/bin/systemctl --user restart app.service"),
  sh("XDG_RUNTIME_DIR=/run/user/1000 systemctl --user restart app.service"),
  words("/usr/sbin/service app restart"),
  words("/bin/kill 123"),
  words("/bin/kill -TERM 123"),
  words("/usr/bin/pkill app"),
  words("/srv/app/restart"),
  words("/bin/true"),
  words("/bin/echo docker restart app"),
  ["/bin/sh", "/srv/app/restart.sh"],
  sh("docker rm -f app && docker run -d --env-file /srv/.env --name app img"),
  sh("supervisorctl reread && supervisorctl update && supervisorctl restart app"),
  sh("nginx -s reload && docker compose up -d --force-recreate app"),
  sh("systemctl stop app; systemctl start app"),
  sh("kubectl apply -f /srv/secret.yaml && kubectl rollout restart deployment/app"),
  sh(
    "kubectl create secret generic a --from-env-file=.env --dry-run=client -o yaml | kubectl apply -f - && kubectl rollout restart deployment/app",
  ),
  sh("/srv/deploy.sh && docker restart app"),
  sh("# docker restart app"),
  sh("echo 'docker restart app'"),
];

describe("a restart that leaves its program with what it had", () => {
  it.each(KEEPING)("%j is %s", (argv, what) => {
    expect(keepsOld(argv, ENV)).toMatchObject({ what });
  });

  it.each(UNKNOWN.map((argv) => [argv]))("%j is not told to be one", (argv) => {
    expect(keepsOld(argv, ENV)).toBeNull();
  });

  it("is known through any wrappers, and any of them around a fresh start is none", () => {
    const wrap = fc.constantFrom<(argv: readonly string[]) => readonly string[]>(
      (argv) => ["/usr/bin/sudo", "-n", ...argv],
      (argv) => ["/usr/bin/env", "A=1", ...argv],
      (argv) => ["/usr/bin/nice", "-n5", ...argv],
      (argv) => ["/usr/bin/timeout", "--signal=KILL", "30", ...argv],
      (argv) => [
        "/bin/sh",
        "-ec",
        `cd /srv && exec ${argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")}`,
      ],
    );
    fc.assert(
      fc.property(
        fc.array(wrap, { maxLength: 4 }),
        fc.constantFrom(...KEEPING.slice(0, 30)),
        fc.constantFrom(...UNKNOWN.slice(0, 8)),
        (wrappers, [argv, what], fresh) => {
          const around = (inner: readonly string[]) => wrappers.reduce((made, one) => one(made), inner);
          expect(keepsOld(around(argv), ENV)?.what).toBe(what);
          expect(keepsOld(around(fresh), ENV)).toBeNull();
        },
      ),
    );
  });

  it("matters only to files of which its environment is made", () => {
    const argv = words("/usr/bin/docker restart app");
    for (const format of ["dotenv", "systemd", "shell"] as const) {
      expect(keepsOld(argv, [{ format }]), format).not.toBeNull();
      expect(keepsOld(argv, [{ format, asEnvironment: true }]), format).not.toBeNull();
      expect(keepsOld(argv, [{ format, asEnvironment: false }]), format).toBeNull();
    }
    // Mounted, and read by the program itself.
    for (const format of ["json", "raw", "plist"] as const) expect(keepsOld(argv, [{ format }])).toBeNull();
    expect(keepsOld(argv, [{ format: "raw" }, { format: "dotenv" }])).not.toBeNull();
    // Pods never read the file.
    expect(keepsOld(words("/usr/bin/kubectl rollout restart deploy/a"), [{ format: "raw" }])).not.toBeNull();
    const kickstart = words("/bin/launchctl kickstart -k gui/501/com.example.app");
    expect(keepsOld(kickstart, [{ format: "plist" }])).not.toBeNull();
    expect(keepsOld(kickstart, ENV)).toBeNull();
  });

  it("any text of a shell is taken apart without an end that does not come", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
        const joined = shellCommands(text).flatMap((one) => one.words);
        expect(joined.every((word) => typeof word === "string")).toBe(true);
        commandsIn(["/bin/sh", "-c", text]);
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme-ascii", minLength: 1 }), { minLength: 1 }),
        (given) => {
          const text = given.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
          expect(shellCommands(text)).toEqual([{ words: given, isAlternative: false }]);
        },
      ),
    );
  });
});

describe("what a command proves", () => {
  const command = ["/srv/app/restart"];
  const health = healthSchema.parse({ command: ["/bin/true"] });
  const proves = (
    more: object,
    check: typeof health | null = null,
    files: Parameters<typeof provenBy>[2] = ENV,
  ) => provenBy(activateSchema.parse(more), check, files);

  it("is nothing by itself, and a restart with its process or a health check", () => {
    expect(proves({ command })).toBe("stored");
    expect(proves({ command }, health)).toBe("deployed");
    expect(proves({ command, process: { pidFile: "/run/app.pid" } })).toBe("deployed");
  });

  it("is nothing where it keeps the old environment, whatever stands beside it, unless a person speaks for it", () => {
    const keeping = ["/usr/bin/docker", "restart", "app"];
    expect(proves({ command: keeping }, health)).toBe("stored");
    expect(proves({ command: keeping, process: { pidFile: "/run/app.pid" } })).toBe("stored");
    expect(proves({ command: keeping, rereads: "attested" }, health)).toBe("deployed");
    expect(proves({ command: keeping, rereads: "attested" })).toBe("stored");
    expect(proves({ command: keeping }, health, [{ format: "json" }])).toBe("deployed");
  });

  it("is nothing of a service where a timer, a socket or a target is restarted", () => {
    expect(proves({ systemd: "app.service" })).toBe("deployed");
    for (const unit of ["app.timer", "app.socket", "app.target"])
      expect(proves({ systemd: unit })).toBe("stored");
  });

  it("`rereads` is a word about commands", () => {
    expect(activateSchema.safeParse({ systemd: "app.service", rereads: "attested" }).success).toBe(false);
    expect(activateSchema.safeParse({ command, rereads: true }).success).toBe(false);
  });

  it.each([
    ["docker compose restart app", "`docker compose up -d --force-recreate SERVICE`"],
    ["pm2 restart app", "pm2 restart NAME --update-env"],
    ["supervisorctl restart app", "supervisorctl reread && supervisorctl update"],
    ["systemctl reload app", "`activate: { systemd: NAME.service }`"],
    ["systemctl --user reload app", "`activate: { systemd: { unit: NAME.service, user: true } }`"],
    ["kubectl rollout restart deploy/app", "kubectl create secret generic"],
  ])("%s is refused with what to use, and no word of its own", (line, instead) => {
    const activate = activateSchema.parse({ command: ["/usr/bin/env", ...words(line), "canary-word"] });
    const [remark, ...others] = remarksOn(activate, health, [{ path: "/a", format: "dotenv", mode: "0600" }]);
    expect(others).toEqual([]);
    expect(remark).toMatchObject({ path: ["activate", "command"], code: "RESTART_KEEPS_OLD" });
    expect(remark?.remedy).toContain(instead);
    expect(JSON.stringify(remark)).not.toContain("canary");
  });

  it("a command that nothing is known of is told to prove no use, and is not refused", () => {
    const files = [{ path: "/a", format: "dotenv", mode: "0600" }] as const;
    expect(remarksOn(activateSchema.parse({ command }), null, files)).toEqual([
      expect.objectContaining({ message: expect.stringContaining("proves no use") }),
    ]);
    expect(remarksOn(activateSchema.parse({ command }), null, files)[0]).not.toHaveProperty("code");
    expect(remarksOn(activateSchema.parse({ command }), health, files)).toEqual([]);
  });
});
