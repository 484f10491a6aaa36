/**
 * Postgres refuses to run as root, and root in a container is everybody's first try. Ways down, best first:
 *
 * user-namespace          root outside, nobody inside; files stay root's and the package may lie anywhere
 * nobody                  a real change of user; the store's own directory is given away
 * nobody-with-capability  the same where `nobody` cannot enter a directory above the store's (/root is 0700):
 *                         the process keeps the one right to pass such directories
 *
 * An ordinary user simply runs it; one whose id has no name (containers with arbitrary ids) gets one from a user
 * namespace, because initdb insists on a name.
 *
 * The capability is wider than the directory needs. Who could use it is who has taken over Postgres, which listens
 * on nothing but a private socket behind a password; without it Postgres would have to move out of the data
 * directory, away from the volume that the operator keeps.
 */
import { chown, lstat, readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { type RunAs, runProgram } from "./run.ts";

export const RUN_AS_SELF: RunAs = { kind: "self", prefix: [], owner: null };

const NOBODY = 65534;
const NOBODY_OWNER = { uid: NOBODY, gid: NOBODY };
const ROOT_OWNER = { uid: 0, gid: 0 };

const USER_NAMESPACE: RunAs = {
  kind: "user-namespace",
  prefix: ["unshare", "--user", `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, "--"],
  owner: ROOT_OWNER,
};
const NAMED_SELF: RunAs = { ...USER_NAMESPACE, owner: null };
const PLAIN_NOBODY: RunAs = { kind: "nobody", prefix: [], uid: NOBODY, gid: NOBODY, owner: NOBODY_OWNER };
/** Reading rights first; containers usually have only the wider one. */
const CAPABILITIES = ["dac_read_search", "dac_override"] as const;

function withCapability(capability: string): RunAs {
  return {
    kind: "nobody-with-capability",
    prefix: [
      "setpriv",
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      "--clear-groups",
      `--inh-caps=-all,+${capability}`,
      `--ambient-caps=-all,+${capability}`,
      "--",
    ],
    owner: NOBODY_OWNER,
  };
}

export type RunAsKind = RunAs["kind"];

/**
 * Chooses for this process and prepares `directory` for it. `only` limits the choice (tests, and machines where one
 * way misbehaves). Throws UNSUPPORTED when root has no way down.
 */
export async function chooseRunAs(directory: string, only?: readonly RunAsKind[]): Promise<RunAs> {
  if (process.getuid?.() !== 0) {
    if (hasName() || (await runProgram(NAMED_SELF, ["true"])) !== 0) return RUN_AS_SELF;
    return NAMED_SELF;
  }
  const allowed = (kind: RunAsKind): boolean => only === undefined || only.includes(kind);

  if (allowed("user-namespace") && (await runProgram(USER_NAMESPACE, ["true"])) === 0) {
    await giveTo(directory, ROOT_OWNER);
    return USER_NAMESPACE;
  }
  await giveTo(directory, NOBODY_OWNER);
  // Entering itself: `test -x` asks the kernel in a way that leaves capabilities out.
  const entersDirectory = ["/bin/sh", "-c", 'cd "$1"', "sh", directory];
  if (allowed("nobody") && (await runProgram(PLAIN_NOBODY, entersDirectory)) === 0) return PLAIN_NOBODY;
  if (allowed("nobody-with-capability")) {
    for (const capability of CAPABILITIES) {
      const runAs = withCapability(capability);
      if ((await runProgram(runAs, entersDirectory)) === 0) return runAs;
    }
  }
  throw new LockstepError(
    "UNSUPPORTED",
    "Cannot start the embedded Postgres as root: user namespaces are not allowed here, and the user nobody cannot enter the data directory.",
    {
      hint: "Run Lockstep as an ordinary user, put LOCKSTEP_DATA where nobody may enter, or set DATABASE_URL.",
      details: { directory },
    },
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== "";
  } catch {
    return false;
  }
}

/** Changes the owner of everything below, when the top shows that the way down is another one than last time. */
async function giveTo(
  directory: string,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  if ((await lstat(directory)).uid === owner.uid) return;
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await giveTo(path, owner);
    else if (entry.isFile()) await chown(path, owner.uid, owner.gid);
  }
  // Last, so that an interrupted change is taken up again.
  await chown(directory, owner.uid, owner.gid);
}
