import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import type { Finding } from "../../../src/core/doctor/finding.ts";
import { healthOf, verdictOf } from "../../../src/core/doctor/verdict.ts";
import type { FoundCopy } from "../../../src/core/ports/copies.ts";
import { REFERENCE_REASON, STAGED_REASON } from "../../../src/core/reconcile/plan-change.ts";
import { ago, type FactParts, factsOf, healthyBinding, healthyTarget } from "./build.ts";

const error = (code: string) => ({ code, message: "The push failed.", hint: "Do this." });
const NOT_YET = { settled: 4, state: "owed", version: 4 } as const;
const TRANSIT = {
  name: "vault-transit transit/lockstep",
  away: null,
  oldestNeeded: 1,
  oldestOpened: 1,
  risks: [],
};
const verifier = healthyBinding("vps", { role: "verifier" });
const caller = healthyBinding("api", { role: "caller" });
const GOOD_TOKEN = { expiresAt: ago(-30), failures: 0, error: null, mustAct: false, usedUp: null };

/** `command`: what is printed, whole. `says`: what its cause must tell. */
interface Row {
  readonly when: string;
  readonly parts: FactParts;
  readonly id: Finding["id"];
  readonly severity: Finding["severity"];
  readonly command: string | null;
  readonly says: RegExp;
}

const WINNER: FoundCopy = {
  bindingId: "b",
  slot: "primary",
  file: "/etc/systemd/system/app.service.d/a.conf",
  line: 7,
  key: "AUTH",
  kind: "unit",
  version: 3,
  wins: true,
  open: false,
  alone: true,
};
const HEAL = "lockstep heal --target api --secret INTERNAL_AUTH_SECRET";

const ROWS: readonly Row[] = [
  {
    when: "a settled key holds a value that Lockstep does not know",
    parts: { bindings: [healthyBinding("api", { state: "foreign", found: "unknown", version: null })] },
    id: "hand-edit",
    severity: "wrong",
    command: HEAL,
    says: /saw v5 there 3 h ago; since then .* changed it/,
  },
  {
    when: "a reference stands where our value stood",
    parts: {
      bindings: [
        healthyBinding("api", {
          state: "foreign",
          found: "unknown",
          foundReason: REFERENCE_REASON,
          version: null,
        }),
      ],
    },
    id: "hand-edit",
    severity: "wrong",
    command: "lockstep apply --take-over INTERNAL_AUTH_SECRET@api",
    says: /replaced it with a reference to another variable/,
  },
  {
    when: "our value stands there as somebody's tool wrote it",
    parts: {
      bindings: [
        healthyBinding("api", {
          state: "foreign",
          found: "unknown",
          foundReason: "it is v5 in quotes",
          version: null,
        }),
      ],
    },
    id: "hand-edit",
    severity: "wrong",
    command: HEAL,
    says: /since then somebody wrote it again, but not exactly: it is v5 in quotes\.$/,
  },
  {
    when: "healing was in vain",
    parts: {
      bindings: [healthyBinding("api", { state: "stale", version: 3 })],
      targets: [healthyTarget("api", { healsInVain: 2 })],
    },
    id: "stale-copy",
    severity: "wrong",
    command: HEAL,
    says: /healed it 2 times .* another program writes there\. Find that program first\.$/,
  },
  {
    when: "a process runs with an older value than is stored",
    parts: {
      bindings: [healthyBinding("api", { state: "stale", lacking: "a running process holds v4, not v5" })],
    },
    id: "process-behind",
    severity: "wrong",
    command: HEAL,
    says: /v5 is stored there, but a running process holds v4, not v5\./,
  },
  {
    when: "another value is staged",
    parts: { bindings: [healthyBinding("api", { foundReason: STAGED_REASON })] },
    id: "staged-change",
    severity: "hint",
    command: null,
    says: /Discard that value there/,
  },
  {
    when: "a drop-in of the unit wins",
    parts: {
      bindings: [healthyBinding("vps", { state: "shadowed", copies: [WINNER] })],
      targets: [
        healthyTarget("vps", {
          kind: "ssh",
          sshAddress: { host: "vps.example.com", port: 2222, user: "deploy" },
          systemdUnit: "app.service",
        }),
      ],
    },
    id: "shadowed",
    severity: "wrong",
    command:
      "ssh -t -p 2222 vps.example.com 'sudo sed -i.lockstep-before '\\''7{/AUTH=/d;}'\\'' /etc/systemd/system/app.service.d/a.conf && sudo systemctl daemon-reload && sudo systemctl restart app.service'",
    says: /Environment= in \/etc\/\S+a\.conf, line 7 also sets AUTH and overrides this one: app\.service starts with v3/,
  },
  {
    when: "a file of a user's own unit wins",
    parts: {
      bindings: [
        healthyBinding("vps", {
          state: "shadowed",
          copies: [{ ...WINNER, file: "/home/deploy/.config/systemd/user/app.service" }],
        }),
      ],
      targets: [
        healthyTarget("vps", {
          kind: "ssh",
          sshAddress: { host: "vps.example.com", port: 22, user: "deploy" },
          systemdUnit: "app.service",
          isUserUnit: true,
        }),
      ],
    },
    id: "shadowed",
    severity: "wrong",
    command:
      "ssh -t deploy@vps.example.com 'sed -i.lockstep-before '\\''7{/AUTH=/d;}'\\'' /home/deploy/.config/systemd/user/app.service && XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user daemon-reload && XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user restart app.service'",
    says: /overrides this one: app\.service \(user\) starts with v3/,
  },
  {
    when: "a copy that wins shares its line with others",
    parts: {
      bindings: [
        healthyBinding("mini", { state: "shadowed", copies: [{ ...WINNER, alone: false, version: null }] }),
      ],
      targets: [healthyTarget("mini", { kind: "agent" })],
    },
    id: "shadowed",
    severity: "wrong",
    command: null,
    says: /starts with a value that Lockstep does not know.* Remove AUTH from it on that machine/,
  },
  {
    when: "a compose file wins, on a host whose unit is another one's",
    parts: {
      bindings: [healthyBinding("vps", { state: "shadowed", copies: [{ ...WINNER, kind: "compose" }] })],
      targets: [healthyTarget("vps", { kind: "ssh", systemdUnit: "app.service" })],
    },
    id: "shadowed",
    severity: "wrong",
    command: null,
    says: /overrides this one: its container starts with v3, .* Remove the line.* Then run `docker compose up -d` there/,
  },
  {
    when: "a job's plist wins",
    parts: {
      bindings: [
        healthyBinding("mini", { state: "shadowed", copies: [{ ...WINNER, kind: "plist", alone: false }] }),
      ],
      targets: [healthyTarget("mini", { kind: "agent" })],
    },
    id: "shadowed",
    severity: "wrong",
    command: null,
    says: /the process starts with v3, .* Then load the job again there with `launchctl bootout` and/,
  },
  {
    when: "copies grow old beside ours",
    parts: {
      bindings: [
        healthyBinding("vps", { copies: [{ ...WINNER, wins: false, kind: "file", file: "~/.zshenv" }] }),
      ],
    },
    id: "other-copies",
    severity: "hint",
    command: null,
    says: /Lockstep does not update these copies/,
  },
  {
    when: "an agent's owner refuses a part",
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [
        healthyTarget("mac", {
          agent: {
            lastSeenAt: ago(0),
            refused: ["unit app.service: the policy does not name it"],
            releases: [],
          },
        }),
      ],
    },
    id: "agent-refused",
    severity: "wrong",
    command: null,
    says: /does not allow: unit app\.service: the policy does not name it\. The owner of the host/,
  },
  {
    when: "an agent is of another release",
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [
        healthyTarget("mac", { agent: { lastSeenAt: ago(0), refused: [], releases: ["1.2.2", "1.2.3"] } }),
      ],
    },
    id: "agent-release",
    severity: "hint",
    command: null,
    says: /the server first/,
  },
  {
    when: "a place would not take a change",
    parts: {
      bindings: [verifier],
      targets: [
        healthyTarget("api", {
          testFailures: [{ name: "restart", message: "sudo does not let deploy restart app." }],
        }),
      ],
    },
    id: "target-test",
    severity: "wrong",
    command: "lockstep target test api",
    says: /^sudo does not let deploy restart app\.$/,
  },
  {
    when: "a unit tells everybody the value in force",
    parts: {
      bindings: [healthyBinding("vps", { copies: [{ ...WINNER, version: 5, wins: true, open: true }] })],
    },
    id: "exposed",
    severity: "wrong",
    command: null,
    says: /`EnvironmentFile=` or `LoadCredential=` names, and rotate the secret/,
  },
  {
    when: "a file that was to be searched could not be",
    parts: {
      bindings: [verifier],
      targets: [
        healthyTarget("api", { unreadCopies: [{ file: "/root/x", reason: "the account may not read it" }] }),
      ],
    },
    id: "copies-unread",
    severity: "hint",
    command: null,
    says: /^The account may not read it\. `alsoCheck` names this file\.$/,
  },
  {
    when: "a group can read a kept file",
    parts: {
      bindings: [verifier],
      targets: [
        healthyTarget("vps", {
          kind: "ssh",
          sshAddress: { host: "vps.example.com", port: 22, user: "deploy" },
          sharedFiles: [{ file: "~/app/.env", group: "www-data" }],
        }),
      ],
    },
    id: "exposed-to-group",
    severity: "hint",
    command: "ssh -t vps.example.com 'sudo chmod go-rwx ~deploy/app/.env'",
    says: /Everybody in the group can read the secret/,
  },
  {
    when: "the service is built where its variables are",
    parts: {
      bindings: [verifier, caller],
      targets: [healthyTarget("api", { exposures: [{ to: "builds", except: [] }] })],
    },
    id: "exposed-to-builds",
    severity: "hint",
    command: "lockstep target test api",
    says: /a build gets every variable[\s\S]*mayReach: \[builds\]/,
  },
  {
    when: "pull requests get copies of the environment",
    parts: {
      bindings: [verifier, caller],
      targets: [healthyTarget("api", { exposures: [{ to: "pull-requests", except: ["OTHER"] }] })],
    },
    id: "exposed-to-pull-requests",
    severity: "hint",
    command: "lockstep target test api",
    says: /whoever may open a pull request[\s\S]*mayReach: \[pull-requests\]/,
  },
  {
    when: "the clocks differ",
    parts: { bindings: [verifier], itself: { clockSkewMs: -600_000 } },
    id: "clock",
    severity: "wrong",
    command: null,
    says: /NTP/,
  },
  {
    when: "a request quota is nearly used up",
    parts: {
      bindings: [verifier],
      itself: { lowBudgets: [{ kind: "railway", remaining: 90, limit: 1_000, endsInMs: 600_000 }] },
    },
    id: "budget-low",
    severity: "cannot-tell",
    command: null,
    says: /keeps the rest for pushes/,
  },
  {
    when: "an API token of its own ends soon",
    parts: { bindings: [verifier], itself: { endingTokens: [{ name: "ci", endsAt: ago(-60) }] } },
    id: "own-token-ends",
    severity: "hint",
    command: "lockstep token list",
    says: /From then on, Lockstep refuses/,
  },
  {
    when: "no place was looked at for long",
    parts: { bindings: [verifier], itself: { checksLateMs: 3_600_000 } },
    id: "checks-late",
    severity: "wrong",
    command: null,
    says: /No worker runs/,
  },
  {
    when: "the disk is nearly full",
    parts: { bindings: [verifier], itself: { space: { bytes: 9e9, freeBytes: 2e8, growth: null } } },
    id: "disk-full-soon",
    severity: "wrong",
    command: null,
    says: /Lockstep refuses every change/,
  },
  {
    when: "the disk is full within the week",
    parts: {
      bindings: [verifier],
      itself: { space: { bytes: 9e9, freeBytes: 6e9, growth: { bytesPerDay: 1e9, overDays: 9 } } },
    },
    id: "disk-full-soon",
    severity: "wrong",
    command: null,
    says: /954 MiB a day.*full in 6 days/,
  },
  {
    when: "the disk is full within the month",
    parts: {
      bindings: [verifier],
      itself: { space: { bytes: 9e9, freeBytes: 29e9, growth: { bytesPerDay: 1e9, overDays: 9 } } },
    },
    id: "disk-full-soon",
    severity: "hint",
    command: null,
    says: /full in 29 days/,
  },
  {
    when: "no copy of the root key is known",
    parts: { bindings: [verifier], itself: { recoveryCopy: "none" } },
    id: "no-recovery-copy",
    severity: "hint",
    command: "lockstep root-key copy lockstep-root.key",
    says: /keep the file away from that machine/,
  },
  {
    when: "only of an older root key a copy is known",
    parts: { bindings: [verifier], itself: { recoveryCopy: "of-another-key" } },
    id: "no-recovery-copy",
    severity: "hint",
    command: "lockstep root-key copy lockstep-root.key",
    says: /and check it: `lockstep root-key check/,
  },
  {
    when: "the root of everything sealed is kept in Vault",
    parts: { bindings: [verifier], itself: { recoveryCopy: "kept-elsewhere" } },
    id: "no-recovery-copy",
    severity: "hint",
    command: null,
    says: /vault operator raft snapshot save/,
  },
  {
    when: "the key ring is away",
    parts: {
      bindings: [verifier],
      itself: {
        keyRings: [
          {
            ...TRANSIT,
            away: { since: ago(3), message: "Cannot open: Vault is sealed.", hint: "Unseal it." },
          },
        ],
      },
    },
    id: "key-ring-away",
    severity: "wrong",
    command: null,
    says: /Vault is sealed. Unseal it\. .*waits/,
  },
  {
    when: "the key ring opens no version as old as one that is needed",
    parts: { bindings: [verifier], itself: { keyRings: [{ ...TRANSIT, oldestNeeded: 3, oldestOpened: 5 }] } },
    id: "key-version-hidden",
    severity: "wrong",
    command: "lockstep rewrap",
    says: /Set it back to 3 or lower/,
  },
  {
    when: "the key of the key ring may be deleted and exported",
    parts: {
      bindings: [verifier],
      itself: { keyRings: [{ ...TRANSIT, risks: ["deletion-allowed", "exportable", "plaintext-backup"] }] },
    },
    id: "key-ring-exposed",
    severity: "hint",
    command: null,
    says: /stolen together with the store/,
  },
  {
    when: "ruling 33: a copy for restoring could not be removed from its host",
    parts: {
      bindings: [verifier],
      itself: {
        keptCopies: [
          {
            target: "api",
            environment: "production",
            file: "/etc/app/env",
            keptAt: ago(600),
            owedAt: ago(590),
            error: "The host is away.",
          },
          {
            target: "api",
            environment: "production",
            file: "/etc/app/new",
            keptAt: ago(1),
            owedAt: null,
            error: null,
          },
        ],
      },
    },
    id: "copy-kept",
    severity: "hint",
    command: null,
    says: /The host is away/,
  },
  {
    when: "ruling 32: the store went on to a root key that this server lacks",
    parts: {
      bindings: [verifier],
      itself: { sealing: { hasCurrent: false, unopened: 9, underOthers: 0 } },
    },
    id: "root-key-changed",
    severity: "wrong",
    command: null,
    says: /moved the store to another key while this server ran/,
  },
  {
    when: "ruling 32: something is sealed under a key that is not here",
    parts: { bindings: [verifier], itself: { sealing: { hasCurrent: true, unopened: 2, underOthers: 1 } } },
    id: "sealed-unopened",
    severity: "wrong",
    command: null,
    says: /another store or from an older backup/,
  },
  {
    when: "ruling 32: the root key's change has not ended",
    parts: { bindings: [verifier], itself: { sealing: { hasCurrent: true, unopened: 0, underOthers: 1 } } },
    id: "rewrap-unfinished",
    severity: "hint",
    command: "lockstep rewrap",
    says: /has not begun, or did not end/,
  },
  {
    when: "an older version came back",
    parts: { bindings: [healthyBinding("api", { state: "stale", version: 3 })] },
    id: "stale-copy",
    severity: "wrong",
    command: HEAL,
    says: /older value was put back/,
  },
  {
    when: "the key is gone",
    parts: { bindings: [healthyBinding("api", { state: "missing", found: "absent", version: null })] },
    id: "missing",
    severity: "wrong",
    command: HEAL,
    says: /deleted it/,
  },
  {
    when: "a foreign value stands where nothing of ours ever stood",
    parts: {
      bindings: [
        healthyBinding("api", {
          state: "foreign",
          found: "unknown",
          settled: null,
          settledAt: null,
          version: null,
        }),
      ],
      targets: [healthyTarget("api", { gaveUp: true, error: error("FOREIGN_VALUE") })],
    },
    id: "foreign",
    severity: "wrong",
    command: "lockstep apply --take-over INTERNAL_AUTH_SECRET@api",
    says: /Lockstep does not know the value there/,
  },
  {
    when: "the push was given up for a reason that a test can name",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { gaveUp: true, error: error("TARGET_PERMISSION") })],
    },
    id: "push-gave-up",
    severity: "wrong",
    command: `lockstep target test api && ${HEAL}`,
    says: /Lockstep never wrote v5 there: it gave up the push\. The push failed\. Do this\./,
  },
  {
    when: "the push was given up within a rollout",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { gaveUp: true, error: error("FILE_UNSAFE") })],
      secret: { rollout: { id: "r-1", state: "stalled", reason: null, from: 4, settlingSince: null } },
    },
    id: "push-gave-up",
    severity: "wrong",
    command: "lockstep target test api && lockstep rollout resume r-1",
    says: /gave up the push/,
  },
  {
    when: "the credential is refused",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { gaveUp: true, error: error("TARGET_CREDENTIAL_REJECTED") })],
    },
    id: "credential-refused",
    severity: "wrong",
    command: "lockstep apply",
    says: /gave up the push/,
  },
  {
    when: "the host shows another key",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [
        healthyTarget("api", {
          gaveUp: true,
          error: error("TARGET_HOST_KEY"),
          sshAddress: { host: "vps.example.com", port: 2222, user: "deploy" },
        }),
      ],
    },
    id: "host-key",
    severity: "wrong",
    command: "lockstep target trust vps.example.com --port 2222",
    says: /gave up the push/,
  },
  {
    when: "the push fails and is tried again",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { error: error("TARGET_UNAVAILABLE"), nextActionAt: ago(-5) })],
    },
    id: "push-retrying",
    severity: "wrong",
    command: `lockstep target test api && ${HEAL}`,
    says: /Lockstep tries again in 5 min/,
  },
  {
    when: "the push fails within a rollout, and is tried again",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { error: error("TARGET_FULL"), nextActionAt: ago(-5) })],
      secret: { rollout: { id: "r-1", state: "running", reason: null, from: 4, settlingSince: null } },
    },
    id: "push-retrying",
    severity: "wrong",
    command: `lockstep target test api && ${HEAL}`,
    says: /v5 is not there yet\. The push failed\. Do this\. Lockstep tries again in 5 min/,
  },
  {
    when: "nobody takes the work up",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { nextActionAt: ago(30) })],
    },
    id: "not-pushed",
    severity: "wrong",
    command: null,
    says: /never pushed: no worker/,
  },
  {
    when: "the push is young",
    parts: {
      bindings: [healthyBinding("api", NOT_YET)],
      targets: [healthyTarget("api", { nextActionAt: ago(0.1) })],
    },
    id: "on-its-way",
    severity: "moving",
    command: null,
    says: /on its way/,
  },
  {
    when: "it is stored, but the unit did not restart",
    parts: {
      bindings: [
        healthyBinding("api", {
          state: "owed",
          evidence: "stored",
          unit: { name: "app.service", state: "blocked", error: "app.service exited with 1" },
        }),
      ],
    },
    id: "unit-blocked",
    severity: "wrong",
    command: HEAL,
    says: /app\.service did not restart, .* exited with 1\./,
  },
  {
    when: "the unit could not run with it, and Lockstep put the former value back",
    parts: {
      bindings: [healthyBinding("api", { state: "stale", version: 4, evidence: null })],
      targets: [healthyTarget("api", { gaveUp: true, error: error("ACTIVATION_FAILED") })],
    },
    id: "unit-blocked",
    severity: "wrong",
    command: HEAL,
    says: /v5 was stored, but The push failed/,
  },
  {
    when: "everything is right, but the last push was given up",
    parts: {
      bindings: [healthyBinding("api")],
      targets: [healthyTarget("api", { gaveUp: true, error: error("TARGET_REFUSED") })],
    },
    id: "push-gave-up",
    severity: "wrong",
    command: "lockstep target test api && lockstep heal --target api",
    says: /failed/,
  },
  {
    when: "the unit is restarting",
    parts: {
      bindings: [
        healthyBinding("api", {
          state: "owed",
          evidence: "stored",
          unit: { name: "app.service", state: "restarting", error: null },
        }),
      ],
    },
    id: "unit-restarting",
    severity: "moving",
    command: null,
    says: /app\.service is restarting/,
  },
  {
    when: "the key is sealed",
    parts: {
      bindings: [
        healthyBinding("api", { state: "unreadable", found: "unreadable", foundReason: "it is sealed" }),
      ],
    },
    id: "unreadable",
    severity: "cannot-tell",
    command: null,
    says: /it is sealed/,
  },
  {
    when: "the place does not answer",
    parts: {
      bindings: [healthyBinding("api", { state: "unreadable" })],
      targets: [healthyTarget("api", { look: error("TARGET_UNREACHABLE") })],
    },
    id: "unreachable",
    severity: "cannot-tell",
    command: "lockstep target test api",
    says: /The push failed\. Do this\./,
  },
  {
    when: "the place refuses the credential now",
    parts: {
      bindings: [healthyBinding("api", { state: "unreadable" })],
      targets: [healthyTarget("api", { look: error("TARGET_CREDENTIAL_REJECTED") })],
    },
    id: "credential-refused",
    severity: "wrong",
    command: "lockstep apply",
    says: /failed/,
  },
  {
    when: "a key is still to be deleted",
    parts: { bindings: [healthyBinding("api", { state: "leftover", found: null })] },
    id: "leftover",
    severity: "moving",
    command: null,
    says: /must still be deleted/,
  },
  {
    when: "places hold two values and nobody chose",
    parts: {
      bindings: [
        healthyBinding("api", { wanted: null, settled: null, state: "missing", version: null, found: null }),
      ],
      secret: { current: null, currentSince: null },
      adoption: {
        groups: [
          { label: "A", places: [{ target: "api", key: "AUTH", role: "verifier" }] },
          { label: "B", places: [{ target: "mac", key: "AUTH", role: "caller" }] },
        ],
        unknown: 0,
      },
    },
    id: "not-adopted",
    severity: "wrong",
    command: "lockstep import INTERNAL_AUTH_SECRET --from api",
    says: /Nobody has chosen/,
  },
  {
    when: "the agent is away",
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [
        healthyTarget("mac", { look: null, agent: { lastSeenAt: ago(240), refused: [], releases: [] } }),
      ],
    },
    id: "agent-away",
    severity: "cannot-tell",
    command: "lockstep agent list",
    says: /sleeps or is off/,
  },
  {
    when: "the agent is away, and its place could not be looked at for that reason",
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [
        healthyTarget("mac", {
          look: { code: "TARGET_UNREACHABLE", message: "Silent.", hint: "" },
          agent: { lastSeenAt: ago(240), refused: [], releases: [] },
        }),
      ],
    },
    id: "agent-away",
    severity: "cannot-tell",
    command: "lockstep agent list",
    says: /sleeps or is off/,
  },
  ...([-7_200_000, 7_200_000] as const).map((clockAheadMs) => ({
    when: `the agent is refused for its clock (${clockAheadMs})`,
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [
        healthyTarget("mac", {
          look: null,
          agent: { lastSeenAt: ago(1), refused: [], releases: [], clockAheadMs },
        }),
      ],
    },
    id: "agent-away" as const,
    severity: "cannot-tell" as const,
    command: "lockstep agent list",
    says: clockAheadMs > 0 ? /Its clock is 2 h ahead of/ : /Its clock is 2 h behind/,
  })),
  {
    when: "no agent was ever enrolled",
    parts: {
      bindings: [healthyBinding("mac")],
      targets: [healthyTarget("mac", { look: null, agent: { lastSeenAt: null, refused: [], releases: [] } })],
    },
    id: "agent-away",
    severity: "cannot-tell",
    command: "lockstep agent invite mac",
    says: /No agent was enrolled/,
  },
  {
    when: "a token has expired",
    parts: {
      bindings: [verifier, caller],
      secret: { token: { ...GOOD_TOKEN, expiresAt: ago(30), failures: 9, error: "it answered 503." } },
    },
    id: "token-expired",
    severity: "wrong",
    command: "lockstep renew INTERNAL_AUTH_SECRET",
    says: /9 tries in a row failed; the last error: it answered 503/,
  },
  {
    when: "nobody knows when a token ends",
    parts: { bindings: [verifier], secret: { token: { ...GOOD_TOKEN, expiresAt: null } } },
    id: "token-without-end",
    severity: "hint",
    command: "lockstep renew INTERNAL_AUTH_SECRET",
    says: /set `life` there and run `lockstep apply`/,
  },
  {
    when: "a token ends soon and nobody gets the next one",
    parts: {
      bindings: [verifier],
      secret: { token: { ...GOOD_TOKEN, failures: 2, error: "it answered 401." } },
    },
    id: "token-not-renewed",
    severity: "wrong",
    command: "lockstep renew INTERNAL_AUTH_SECRET",
    says: /it answered 401/,
  },
  {
    when: "a refresh token may be used up",
    parts: {
      bindings: [verifier],
      secret: {
        token: {
          ...GOOD_TOKEN,
          failures: 1,
          error: "Its answer was lost.",
          mustAct: true,
          usedUp: "REFRESH",
        },
      },
    },
    id: "token-not-renewed",
    severity: "wrong",
    command: "lockstep secret set REFRESH",
    says: /A person must act; the last error: Its answer was lost/,
  },
  {
    when: "a value is older than it may be",
    parts: {
      bindings: [verifier],
      secret: { currentMadeAt: ago(91 * 24 * 60), maxAgeMs: 90 * 86_400_000 },
    },
    id: "too-old",
    severity: "wrong",
    command: "lockstep rotate INTERNAL_AUTH_SECRET --wait",
    says: /neither a person nor a schedule .* has rotated it/,
  },
  {
    when: "a value is older than it may be, and a rotation is under way",
    parts: {
      bindings: [verifier],
      secret: {
        currentMadeAt: ago(91 * 24 * 60),
        maxAgeMs: 90 * 86_400_000,
        rollout: { id: "r-1", state: "running", reason: null, from: 4, settlingSince: null },
      },
    },
    id: "too-old",
    severity: "moving",
    command: null,
    says: /under way/,
  },
  {
    when: "a value is older than it may be, and its rotation stands still",
    parts: {
      bindings: [verifier],
      secret: {
        currentMadeAt: ago(91 * 24 * 60),
        maxAgeMs: 90 * 86_400_000,
        rollout: { id: "r-1", state: "stalled", reason: null, from: 4, settlingSince: null },
      },
    },
    id: "too-old",
    severity: "wrong",
    command: "lockstep rollout show r-1",
    says: /is stalled/,
  },
  {
    when: "alerts do not arrive",
    parts: {
      bindings: [verifier],
      mutedChannels: [{ name: "ops", reason: "Slack answered 404.", since: ago(3) }],
    },
    id: "alerts-not-delivered",
    severity: "wrong",
    command: "lockstep alert test ops",
    says: /Slack answered 404/,
  },
  {
    when: "the queue is away",
    parts: { bindings: [verifier], queueAway: true },
    id: "queue-away",
    severity: "hint",
    command: null,
    says: /nothing is lost/,
  },
  {
    when: "the queue is away and said why",
    parts: {
      bindings: [verifier],
      queueAway: true,
      queueTrouble: { what: "Redis is a replica (READONLY)", remedy: "Name the primary." },
    },
    id: "queue-away",
    severity: "hint",
    command: null,
    says: /^Redis is a replica \(READONLY\)\. .*nothing is lost\. Name the primary\.$/,
  },
  {
    when: "the queue may lose jobs",
    parts: { bindings: [verifier], queueTrouble: { what: "Redis drops keys", remedy: "Set noeviction." } },
    id: "queue-may-lose-jobs",
    severity: "hint",
    command: null,
    says: /^Redis drops keys\. Workers .* Set noeviction\.$/,
  },
];

describe("doctor", () => {
  it.each(ROWS)("names it when $when", ({ parts, id, severity, command, says }) => {
    const findings = diagnose(factsOf(parts));
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ id, severity, command });
    expect(findings[0]?.cause).toMatch(says);
  });

  it("says the version, since when it should stand there, and when it was seen", () => {
    const [finding] = diagnose(
      factsOf({ bindings: [healthyBinding("api", { state: "stale", version: 3, placement: "/app/.env" })] }),
    );
    expect(finding?.what).toBe(
      "api, /app/.env, key AUTH: holds v3 (seen just now), should hold v5 since 2026-03-01 09:00 UTC (3 h ago).",
    );
  });

  it("names the environment in commands where names could mean two", () => {
    const [finding] = diagnose(
      factsOf({
        bindings: [healthyBinding("api", { state: "stale", version: 3 })],
        severalEnvironments: true,
      }),
    );
    expect(finding?.command).toBe(`${HEAL} --environment production`);
  });
});

describe("who is refused", () => {
  const consequence = (parts: FactParts) =>
    diagnose(factsOf(parts)).flatMap((finding) => finding.consequence);

  it("a stale caller is refused by every verifier, in one sentence", () => {
    expect(
      consequence({
        bindings: [
          healthyBinding("mac", { role: "caller", state: "stale", version: 3 }),
          healthyBinding("api", { role: "verifier" }),
          healthyBinding("vps", { role: "both" }),
        ],
      }),
    ).toEqual(["Calls from mac to api and vps are refused (401 or 403): mac sends v3, they accept v5."]);
  });

  it("a stale verifier refuses every caller with the new value", () => {
    expect(
      consequence({
        bindings: [
          healthyBinding("api", { role: "verifier", state: "stale", version: 3 }),
          healthyBinding("vps", { role: "caller" }),
        ],
      }),
    ).toEqual(["Calls from vps to api are refused (401 or 403): vps sends v5, api accepts v3."]);
  });

  it("a verifier that takes a second value besides does not refuse who sends that", () => {
    const api = healthyBinding("api", { role: "verifier", wanted: 4, settled: 4, version: 4, fallback: 5 });
    const vps = healthyBinding("vps", { role: "caller" });
    const mac = healthyBinding("mac", { role: "caller", state: "stale", version: 3 });
    expect(consequence({ bindings: [api, vps, mac] })).toEqual([
      "Calls from mac to api are refused (401 or 403): mac sends v3, api accepts v4.",
    ]);
    expect(consequence({ bindings: [{ ...api, state: "stale" }, vps] })).toEqual([]);
  });

  it("a place of both roles is told in both directions", () => {
    expect(
      consequence({
        bindings: [
          healthyBinding("mac", { state: "foreign", found: "unknown", version: null }),
          healthyBinding("api"),
        ],
      }),
    ).toEqual([
      "Calls from mac to api are refused (401 or 403): mac sends a value that Lockstep does not know, api accepts v5.",
      "Calls from api to mac are refused (401 or 403): api sends v5, mac accepts a value that Lockstep does not know.",
    ]);
  });

  it("nothing is claimed of a place that could not be read, nor of two places whose values may be the same", () => {
    const foreign = { state: "foreign", found: "unknown", version: null } as const;
    expect(
      consequence({
        bindings: [
          healthyBinding("api", { role: "verifier", ...foreign }),
          healthyBinding("vps", { role: "caller", ...foreign }),
          healthyBinding("mac", { role: "caller", state: "unreadable", found: "unreadable" }),
        ],
      }),
    ).toEqual([]);
  });

  it("a process that did not restart sends the value from before", () => {
    expect(
      consequence({
        bindings: [
          healthyBinding("vps", {
            role: "caller",
            state: "owed",
            evidence: "stored",
            unit: { name: "app", state: "blocked", error: null },
          }),
          healthyBinding("api", { role: "verifier" }),
        ],
      }),
    ).toEqual([
      "Calls from vps to api are refused (401 or 403): vps sends the value from before v5, api accepts v5.",
    ]);
  });
});

describe("the verdict", () => {
  const verdict = (parts: FactParts) => {
    const facts = factsOf(parts);
    const findings = diagnose(facts);
    return [healthOf(findings), verdictOf(facts, findings)];
  };

  it("says what was looked at when nothing is wrong", () => {
    expect(verdict({ bindings: [healthyBinding("api"), verifier] })).toEqual([
      "well",
      "Nothing is wrong: 2 keys of 1 secret, each of 2 places was checked just now.",
    ]);
  });

  it("names the stale place first, and what could not be seen besides", () => {
    expect(
      verdict({
        bindings: [
          healthyBinding("api", { state: "foreign", found: "unknown", version: null }),
          healthyBinding("vps", { state: "unreadable" }),
        ],
        targets: [healthyTarget("vps", { look: error("TARGET_UNREACHABLE") })],
      }),
    ).toEqual([
      "wrong",
      "1 thing is wrong: INTERNAL_AUTH_SECRET at api was changed by hand. Also, vps cannot be checked.",
    ]);
  });

  it("never calls blindness well", () => {
    const [health, line] = verdict({
      bindings: [healthyBinding("vps", { state: "unreadable" })],
      targets: [healthyTarget("vps", { look: error("TARGET_UNREACHABLE") })],
    });
    expect(health).toBe("cannot-tell");
    expect(line).toContain("Cannot tell: vps cannot be checked.");
  });
});
