/** All benches: a name, one line about it, and where it is. Loaded only when asked for. */
import type { Bench } from "./support/bench.ts";

export const BENCHES: Readonly<Record<string, { readonly about: string; load(): Promise<Bench> }>> = {
  ssh: {
    about: "how many hosts over SSH get a new file per second, beside OpenSSH and Ansible",
    load: async () => (await import("./ssh/ssh.ts")).bench,
  },
  propagate: {
    about: "how soon a change has reached 1 to 1,000 targets: stored there, and running",
    load: async () => (await import("./propagate/propagate.ts")).bench,
  },
  rotation: {
    about: "how many requests are refused while a secret is rotated under load, in order and all at once",
    load: async () => (await import("./rotation/rotation.ts")).bench,
  },
  renewal: {
    about: "tokens of equal expiry: how evenly they are renewed, and whether anybody lacks a valid one",
    load: async () => (await import("./renewal/renewal.ts")).bench,
  },
  doctor: {
    about: "how long doctor takes to look at 10 and 100 places, beside asking one after the other",
    load: async () => (await import("./doctor/doctor.ts")).bench,
  },
  agents: {
    about: "memory of an idle agent's stream, and how soon all agents hear of a change",
    load: async () => (await import("./agents/agents.ts")).bench,
  },
  history: {
    about: "what a store weighs after a year of looks, beside one that keeps each of them",
    load: async () => (await import("./history/history.ts")).bench,
  },
  migration: {
    about: "how long a migration takes, and how long its locks keep a worker waiting",
    load: async () => (await import("./migration/migration.ts")).bench,
  },
  scale: {
    about: "what an idle worker reads, and how soon it notices drift, by the size of the store",
    load: async () => (await import("./scale/scale.ts")).bench,
  },
  vault: {
    about: "values and data keys through the client for Vault, beside the same calls bare",
    load: async () => (await import("./vault/vault.ts")).bench,
  },
};
