/**
 * A path in Vault or OpenBao. The token comes from the environment or a prompt without echo, goes to the server for one
 * test, and is written nowhere; what it lacks is told, and does not stop the writing.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { TriedTarget } from "../../../protocol/api-first-run.ts";
import { VAULT_TOKEN_VARIABLE, type VaultAnswers } from "./answers.ts";
import { askRole } from "./ask-secret.ts";
import type { Asker, Check } from "./asker.ts";
import type { Checks } from "./checks.ts";
import type { TargetNames } from "./target-names.ts";

export interface VaultOptions {
  readonly vaultAddress?: string;
  readonly vaultMount?: string;
  readonly vaultPath?: string;
  readonly vaultNamespace?: string;
  readonly vaultTarget?: string;
  readonly vaultRole?: string;
}

export interface AskedVault {
  readonly target: VaultAnswers;
  /** A token that was typed, for the rest of this run; whoever runs it must still set it. */
  readonly typedToken: string | null;
}

type Where = Pick<VaultAnswers, "address" | "mount" | "path" | "namespace">;

/** What the server does not take is told by its test. */
const plain: Check = (text) =>
  /^[^/?#%\s](?:[^?#%]*[^/?#%\s])?$/.test(text)
    ? null
    : "Write it as plain text, without a slash at its ends.";

export async function askVault(
  asker: Asker,
  options: VaultOptions,
  { checks, names }: { readonly checks: Checks; readonly names: TargetNames },
): Promise<AskedVault> {
  let typedToken: string | null = null;
  const where = await retried(asker, async () => {
    const asked = await askWhere(asker, options);
    typedToken = (await tryIt(asker, asked, checks)) ?? typedToken;
    return asked;
  });
  const target = await names.ask(
    asker,
    { option: "--vault-target", text: "Its name here", given: options.vaultTarget },
    names.near("vault", "vault"),
  );
  const role = await askRole(asker, target, { option: "--vault-role", given: options.vaultRole });
  return { target: { kind: "vault", target, role, ...where }, typedToken };
}

async function retried<T>(asker: Asker, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      await asker.againAfter(error, "Try again with another address or path?");
    }
  }
}

async function askWhere(asker: Asker, options: VaultOptions): Promise<Where> {
  const address = await asker.text({
    option: "--vault-address",
    text: "Address of Vault or OpenBao",
    given: options.vaultAddress,
    check: (text) =>
      URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
        ? null
        : "Write https://HOST:PORT, for example https://vault.example.com:8200.",
  });
  const mount = await asker.text({
    option: "--vault-mount",
    text: "Mount of the KV engine (version 2)",
    given: options.vaultMount,
    fallback: "secret",
    check: plain,
  });
  const path = await asker.text({
    option: "--vault-path",
    text: "Path below it, for example apps/api",
    given: options.vaultPath,
    check: plain,
  });
  return { address, mount, path, namespace: options.vaultNamespace ?? null };
}

/** Answers the token that a person typed for it. What it lacks is to do; what does not answer at all is asked again. */
async function tryIt(asker: Asker, where: Where, { api, unchecked, todo }: Checks): Promise<string | null> {
  if (api === null) {
    unchecked.push(`that the token reaches ${where.mount}/${where.path} in Vault`);
    return null;
  }
  const { value: token, asked } = await asker.credential(VAULT_TOKEN_VARIABLE, "Vault token");
  const { namespace, ...rest } = where;
  const vault = { ...rest, ...(namespace === null ? {} : { namespace }), token };
  const tried: TriedTarget = await api.call("tryTarget", { body: { target: { vault } } });
  const failed = tried.checks.find(({ name, ok }) => !ok && ["open", "log-in", "engine"].includes(name));
  if (failed !== undefined) {
    throw new LockstepError("TARGET_REFUSED", `Cannot use the path in Vault: ${failed.message}`, {
      hint: "Correct it and run `lockstep init` again; nothing was written.",
    });
  }
  for (const { name, ok, message } of tried.checks) {
    asker.cli.output.note(`  ${ok ? "ok" : "not yet"}: ${name}: ${message}`);
    if (!ok) todo.push(`Vault, ${name}: ${message}`);
  }
  return asked ? token : null;
}
