/**
 * A host over SSH: its key is compared before anything else, then the login is tried, then file and unit are asked for
 * and looked at. What the host still lacks (a directory, a sudo line) is told, and does not stop the writing.
 */
import { join, resolve } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import type { TriedTarget } from "../../../protocol/api-first-run.ts";
import { isTrusted } from "../host-trust.ts";
import type { FileAnswers, HostAnswers } from "./answers.ts";
import { PASSPHRASE_VARIABLE } from "./answers.ts";
import { askFile } from "./ask-file.ts";
import { askRole } from "./ask-secret.ts";
import type { Asker } from "./asker.ts";
import type { Checks } from "./checks.ts";
import { findKeyFiles, type KeyFile, readKeyFile } from "./key-files.ts";
import { activationOf } from "./render.ts";
import type { TargetNames } from "./target-names.ts";

export interface HostOptions {
  readonly sshHost?: string;
  readonly sshPort?: number;
  readonly sshUser?: string;
  readonly sshKey?: string;
  readonly sshFingerprint?: string;
  readonly sshHostKey?: string;
  readonly sshTarget?: string;
  readonly sshFile?: string;
  readonly sshFormat?: string;
  readonly sshUnit?: string;
  readonly sshRole?: string;
}

export interface AskedHost {
  readonly target: HostAnswers;
  /** A passphrase that was typed, for the rest of this run. */
  readonly typedPassphrase: string | null;
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
}

interface Login {
  readonly user: string;
  readonly keyFile: string;
  readonly key: KeyFile;
  readonly passphrase: { readonly value: string; readonly asked: boolean } | null;
}

interface Surroundings {
  readonly checks: Checks;
  readonly names: TargetNames;
}

const DEFAULT_PORT = 22;
/** What a look at the login alone needs to name; it is read at most, and never reported. */
const ANY_FILE: Omit<FileAnswers, "unit"> = { path: "~/.env", format: "dotenv" };

export async function askHost(
  asker: Asker,
  options: HostOptions,
  { checks, names }: Surroundings,
): Promise<AskedHost> {
  const address = await retried(asker, "Try again with another address?", () =>
    askAddress(asker, options, checks),
  );
  const login = await retried(asker, "Try again with another user or key?", () =>
    askLogin(asker, options, { address, checks }),
  );
  const fallback = names.near(
    /^[0-9.:]+$/.test(address.host) ? address.host : firstLabel(address.host),
    "host",
  );
  const target = await names.ask(
    asker,
    { option: "--ssh-target", text: "Its name here", given: options.sshTarget },
    fallback,
  );
  const file = await askFile(
    asker,
    { file: options.sshFile, format: options.sshFormat, unit: options.sshUnit },
    { prefix: "ssh", where: address.host, launchd: false },
  );
  const role = await askRole(asker, target, { option: "--ssh-role", given: options.sshRole });
  await lookAtFile(asker, { address, login, checks, file });
  const { user, keyFile, passphrase } = login;
  const withPassphrase = passphrase !== null;
  return {
    target: { kind: "ssh", target, role, ...address, user, keyFile, withPassphrase, ...file },
    typedPassphrase: passphrase?.asked === true ? passphrase.value : null,
  };
}

async function retried<T>(asker: Asker, question: string, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      await asker.againAfter(error, question);
    }
  }
}

async function askAddress(asker: Asker, options: HostOptions, { api, unchecked }: Checks): Promise<Address> {
  const { cli } = asker;
  const host = await asker.text({
    option: "--ssh-host",
    text: "Host (name or address)",
    given: options.sshHost,
    check: (text) =>
      /^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/.test(text) ? null : "That is not a host.",
  });
  const port = Number(
    await asker.text({
      option: "--ssh-port",
      text: "Port",
      given: options.sshPort === undefined ? undefined : String(options.sshPort),
      fallback: String(DEFAULT_PORT),
      check: (text) =>
        /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
          ? null
          : "Use a number from 1 to 65535.",
    }),
  );
  if (api === null) {
    unchecked.push(`that ${host} answers, shows this key and lets you in`);
    const hostKey = await asker.text({
      option: "--ssh-host-key",
      text: "Its public key, as its owner reads it there (cat /etc/ssh/ssh_host_ed25519_key.pub)",
      given: options.sshHostKey,
      check: (text) =>
        /^[a-z0-9-]+ [A-Za-z0-9+/]{40,}={0,2}(?: .*)?$/.test(text)
          ? null
          : "It begins with ssh-ed25519 AAAA….",
    });
    return { host, port, hostKey: hostKey.split(" ").slice(0, 2).join(" ") };
  }
  const shown = await api.call("lookAtHostKey", { body: { host, port } });
  if (options.sshHostKey !== undefined && options.sshHostKey === shown.hostKey)
    return { host, port, hostKey: shown.hostKey };
  if (!asker.interactive && options.sshFingerprint === undefined) {
    throw new LockstepError("USAGE", "Cannot trust a key that nobody has compared: there is no terminal.", {
      hint: "Give the fingerprint that the host's owner told you, with --ssh-fingerprint SHA256:….",
    });
  }
  if (await isTrusted(cli, shown.fingerprint, options.sshFingerprint)) {
    return { host, port, hostKey: shown.hostKey };
  }
  throw new LockstepError("TARGET_HOST_KEY", `The key that ${host} shows was not trusted.`);
}

async function askLogin(
  asker: Asker,
  options: HostOptions,
  { address, checks }: { readonly address: Address; readonly checks: Checks },
): Promise<Login> {
  const { homeDirectory, workingDirectory } = asker.cli.surroundings;
  const user = await asker.text({
    option: "--ssh-user",
    text: "User",
    given: options.sshUser,
    check: (text) => (/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text) ? null : "That is not a user's name."),
  });
  const found = options.sshKey === undefined ? await findKeyFiles(homeDirectory) : [];
  if (asker.interactive && found.length > 0) {
    asker.list(
      "Private key that logs in",
      found.map((value) => ({ value })),
    );
  }
  const chosen = await asker.text({
    option: "--ssh-key",
    text: found.length > 0 ? "  Choose, or name another path" : "Private key file",
    given: options.sshKey,
    fallback: found[0] ?? "~/.ssh/id_ed25519",
  });
  const keyFile = (/^\d{1,3}$/.test(chosen) ? found[Number(chosen) - 1] : undefined) ?? chosen;
  const path = keyFile.startsWith("~/")
    ? join(homeDirectory, keyFile.slice(2))
    : resolve(workingDirectory, keyFile);
  const key = await readKeyFile(path, keyFile);
  const passphrase = key.encrypted
    ? await asker.credential(PASSPHRASE_VARIABLE, `Passphrase of ${keyFile}`)
    : null;
  // A relative path would mean another file wherever lockstep.yaml stands.
  const login = { user, keyFile: keyFile.startsWith("~/") ? keyFile : path, key, passphrase };
  const tried = await tryHost(checks, { address, login, file: { ...ANY_FILE, unit: null } });
  const failed = tried?.checks.find(({ name, ok }) => !ok && ["open", "login"].includes(name));
  if (failed !== undefined) {
    throw new LockstepError("TARGET_REFUSED", `Cannot log in to ${address.host}: ${failed.message}`, {
      hint: "Correct it and run `lockstep init` again; nothing was written.",
    });
  }
  for (const { name, message } of tried?.checks ?? []) {
    if (name === "login") asker.cli.output.note(`  ok: ${message}`);
  }
  return login;
}

async function lookAtFile(asker: Asker, trying: Trying & { readonly checks: Checks }): Promise<void> {
  const tried = await tryHost(trying.checks, trying);
  for (const { name, ok, message } of tried?.checks ?? []) {
    if (name === "login") continue;
    asker.cli.output.note(`  ${ok ? "ok" : "not yet"}: ${name}: ${message}`);
    if (!ok) trying.checks.todo.push(`${trying.address.host}, ${name}: ${message}`);
  }
}

interface Trying {
  readonly address: Address;
  readonly login: Login;
  readonly file: FileAnswers;
}

/** Null: nobody to ask. */
async function tryHost({ api }: Checks, { address, login, file }: Trying): Promise<TriedTarget | null> {
  if (api === null) return null;
  const { user, key, passphrase } = login;
  return api.call("tryTarget", {
    body: {
      target: {
        ssh: {
          ...address,
          user,
          privateKey: key.content.reveal(),
          ...(passphrase === null ? {} : { passphrase: passphrase.value }),
        },
        files: [{ path: file.path, format: file.format }],
        ...activationOf(file.unit),
      },
    },
  });
}

function firstLabel(host: string): string {
  return host.split(".")[0] ?? host;
}
