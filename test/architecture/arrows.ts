/** Which way imports may point, and why the others are banned. */
import type { Import } from "./imports.ts";

interface Ban {
  readonly from: RegExp;
  readonly to: RegExp;
  /** Imports that the ban does not mean. */
  readonly except?: (found: Import) => boolean;
  readonly reason: string;
}

const ASKING = [
  "src/adapters/issuers/",
  "src/adapters/probes/",
  "src/adapters/targets/",
  "src/adapters/channels/",
  "src/adapters/vault/",
];

/** What is built on a Vault server. */
const ON_VAULT = ["src/adapters/targets/vault/", "src/adapters/crypto/", "src/adapters/values/"];

const folderOf = (path: string, depth: number): string => path.split("/").slice(0, depth).join("/");

/**
 * `targets` are written once above `hosts`, `placements` and `probes`; whatever asks over the network goes through
 * `outgoing`, and whatever speaks with Vault through `vault`. There is no other stair between adapters.
 */
function isStair({ from, to }: Import): boolean {
  if (to.startsWith("src/adapters/outgoing/")) return ASKING.some((folder) => from.startsWith(folder));
  if (to.startsWith("src/adapters/vault/")) return ON_VAULT.some((folder) => from.startsWith(folder));
  const upper = ["src/adapters/targets/", "src/adapters/placements/"].some((folder) =>
    from.startsWith(folder),
  );
  return (
    upper &&
    ["src/adapters/placements/", "src/adapters/hosts/", "src/adapters/probes/"].some((folder) =>
      to.startsWith(folder),
    )
  );
}

/** The agent is the program on a host: it applies through the very code that targets over SSH use. */
function isAgentStair({ from, to }: Import): boolean {
  return (
    from.startsWith("src/edges/agent/") &&
    /^src\/adapters\/(?:placements|probes|outgoing|hosts\/local|hosts\/script)\//.test(to)
  );
}

export const BANS: readonly Ban[] = [
  {
    from: /^src\/core\//,
    to: /^src\/(?!core\/|lib\/|protocol\/)/,
    reason: "core is what Lockstep knows; it must stay true whatever stands around it",
  },
  {
    from: /^src\/core\//,
    to: /^(?:node:(?!util$|crypto$)|pg$|kysely$|bullmq$|ioredis$|fastify$|pino$|ssh2$|commander$|graphql)/,
    reason: "core is pure: no I/O, so that every rule in it can be tested without a world",
  },
  {
    from: /^src\/app\//,
    to: /^src\/(?:adapters|edges|composition|settings|main\.ts)/,
    reason: "use cases speak to ports; which implementation answers is composition's choice",
  },
  {
    from: /^src\/app\//,
    to: /^(?:pg|kysely|bullmq|ioredis|fastify|ssh2|commander|graphql|graphql-request)$/,
    reason: "a use case that knows a library cannot be run on another",
  },
  {
    from: /^src\/adapters\//,
    to: /^src\/(?:app|edges|composition|settings|main\.ts)/,
    reason: "an adapter serves a port and decides nothing; what it needs is handed to it",
  },
  {
    from: /^src\/adapters\//,
    to: /^src\/adapters\//,
    except: (found) => folderOf(found.from, 3) === folderOf(found.to, 3) || isStair(found),
    reason: "adapters do not know each other, so that one can be replaced without reading the others",
  },
  {
    from: /^src\/adapters\/targets\//,
    to: /^src\/adapters\/targets\//,
    except: (found) => folderOf(found.from, 4) === folderOf(found.to, 4),
    reason: "kinds of targets do not know each other",
  },
  {
    from: /^(?!src\/adapters\/vault\/request-builder\.ts$)/,
    to: /^node-vault$/,
    reason:
      "its own transport follows redirects with the token and puts values into errors; one file fences it in",
  },
  {
    from: /^src\/edges\//,
    to: /^src\/(?:adapters|composition|main\.ts)/,
    except: isAgentStair,
    reason: "edges call use cases; an edge that reaches an adapter goes around every rule between",
  },
  {
    from: /^src\/edges\//,
    to: /^src\/edges\//,
    except: (found) => folderOf(found.from, 3) === folderOf(found.to, 3),
    reason: "edges are ways in, independent of each other",
  },
  {
    from: /^src\/edges\/cli\//,
    to: /^src\/app\//,
    reason: "the command line speaks HTTP, so that it can do nothing that its token may not",
  },
  {
    from: /^src\/(?:lib|protocol)\//,
    to: /^src\/(?!lib\/|protocol\/)/,
    reason: "everybody may import these, agents too; they bring nothing of ours along",
  },
  {
    from: /^src\/lib\//,
    to: /^src\/protocol\//,
    reason: "lib stands below the protocol",
  },
  {
    from: /^src\/sdk\//,
    to: /^(?!src\/sdk\/|node:)/,
    reason: "applications import the sdk; it brings neither us nor a package into them",
  },
  {
    from: /^src\/(?!sdk\/)/,
    to: /^src\/sdk\//,
    reason: "the sdk keeps its own pace: what applications hold may be older or newer than what runs here",
  },
  {
    from: /^src\/demo\//,
    to: /^src\/(?!demo\/|lib\/|protocol\/|simulator\/)/,
    reason: "the demo proves the product as its user has it: through the command line, as processes",
  },
  {
    from: /^src\/demo\/services\//,
    to: /^src\//,
    reason: "the demo's services are a user's own programs, and know nothing of Lockstep",
  },
  {
    from: /^src\/(?!main\.ts|demo\/)/,
    to: /^src\/demo\//,
    reason: "nothing depends on the demo; main.ts hands it to the command line",
  },
  {
    from: /^src\/simulator\//,
    to: /^src\/(?!simulator\/|lib\/|protocol\/)/,
    reason: "a stand-in for the outside is no part of what it tests",
  },
  {
    from: /^src\/(?!main\.ts|composition\/)/,
    to: /^src\/composition\//,
    reason: "only main.ts starts processes; whoever imports composition knows everyone",
  },
  {
    from: /^src\//,
    to: /^(?:test\/|vitest|fast-check|tsx|typescript)/,
    reason: "what ships does not need what tests it",
  },
];

export function violations(found: Import): readonly string[] {
  return BANS.filter(
    ({ from, to, except }) => from.test(found.from) && to.test(found.to) && except?.(found) !== true,
  ).map(({ reason }) => `${found.from} imports ${found.to}: ${reason}`);
}
