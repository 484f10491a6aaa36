/**
 * What a token reaches, for a person who chooses. Under the rules of the target itself: the same client, the same
 * addresses allowed, the same translation of failures. Names are made visible before anybody prints them.
 *
 * Attacker: a caller who may configure and names an address inside our network. Gain: our request there, with a token
 * that is the caller's own. Defence: https alone (http on loopback), no redirect followed, no metadata address, no
 * answer told that is not of Railway's form.
 */
import { LockstepError } from "../../../core/errors.ts";
import type {
  FoundEnvironment,
  FoundName,
  FoundProject,
  RailwayAccess,
  RailwayExplorer,
} from "../../../core/ports/railway-explorer.ts";
import type { RequestBudget } from "../../../core/ports/target-context.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { RailwayClient } from "./client.ts";
import { DEFAULT_ENDPOINT, isSafeEndpoint } from "./config.ts";
import {
  accountTokenAnswer,
  type FoundEnvironments,
  moreEnvironments,
  moreServices,
  projectsAnswer,
  projectTokenPlace,
  readAnswer,
} from "./wire/answers.ts";

/** A person waits. */
const REQUEST_TIMEOUT_MS = 20_000;
/** Stands where errors name a target. */
const NAME = "Railway";
/** Pages of 100 or 500: more than anybody reads through. */
const MAX_PAGES = 50;
const MAX_NAME_LENGTH = 100;

export function createRailwayExplorer(budget: RequestBudget): RailwayExplorer {
  const open = ({ token, endpoint }: RailwayAccess): RailwayClient => {
    if (endpoint !== null && !isSafeEndpoint(endpoint)) {
      throw new LockstepError("INPUT_INVALID", "Cannot look at Railway: the endpoint is not allowed.", {
        details: { path: ["endpoint"] },
        hint: "Use https, or http on loopback, without user, query or #.",
      });
    }
    return new RailwayClient({
      endpoint: endpoint ?? DEFAULT_ENDPOINT,
      token,
      tokenKind: null,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      target: NAME,
      budget,
      purpose: "background",
    });
  };
  return {
    async projects(access, signal) {
      const client = open(access);
      return worded(async () => {
        const tokenKind = await client.tokenKind(signal);
        const projects =
          tokenKind === "project"
            ? [await ownProject(client, signal)]
            : await reachableProjects(client, signal);
        return { tokenKind, projects };
      });
    },
    async services(access, environmentId, signal) {
      const client = open(access);
      return worded(() => servicesOf(client, environmentId, signal));
    },
  };
}

async function ownProject(client: RailwayClient, signal: AbortSignal): Promise<FoundProject> {
  const answer = await client.read("ProjectTokenPlace", {}, signal);
  const { project, environment } = readAnswer(projectTokenPlace, answer, NAME).projectToken;
  return {
    ...named(project),
    environments: [{ ...named(environment), accessible: environment.canAccess }],
  };
}

/** Every kind of bearer token names the workspaces it reaches; a listing without one depends on the kind. */
async function reachableProjects(
  client: RailwayClient,
  signal: AbortSignal,
): Promise<readonly FoundProject[]> {
  const identity = await client.identify("account", signal);
  const { workspaces } = readAnswer(accountTokenAnswer, identity, NAME).apiToken;
  const found: FoundProject[] = [];
  for (const { id: workspaceId } of workspaces) {
    for (const after of pages()) {
      const answer = await client.read("Projects", { workspaceId, after: after.cursor }, signal);
      const { edges, pageInfo } = readAnswer(projectsAnswer, answer, NAME).projects;
      for (const { node } of edges) {
        const environments = await allEnvironments(client, node.id, node.environments, signal);
        found.push({ ...named(node), environments });
      }
      after.follow(pageInfo);
    }
  }
  return found.toSorted(byName);
}

async function allEnvironments(
  client: RailwayClient,
  projectId: string,
  first: FoundEnvironments,
  signal: AbortSignal,
): Promise<readonly FoundEnvironment[]> {
  const found = [...first.edges];
  for (const after of pages(first.pageInfo)) {
    const answer = await client.read("MoreEnvironments", { projectId, after: after.cursor }, signal);
    const { edges, pageInfo } = readAnswer(moreEnvironments, answer, NAME).environments;
    found.push(...edges);
    after.follow(pageInfo);
  }
  return found
    .filter(({ node }) => node.deletedAt === null)
    .map(({ node }) => ({ ...named(node), accessible: node.canAccess }));
}

async function servicesOf(
  client: RailwayClient,
  environmentId: string,
  signal: AbortSignal,
): Promise<readonly FoundName[]> {
  const found: FoundName[] = [];
  for (const after of pages()) {
    const answer = await client.read("MoreServices", { environmentId, after: after.cursor }, signal);
    const { edges, pageInfo } = readAnswer(moreServices, answer, NAME).environment.serviceInstances;
    found.push(...edges.map(({ node }) => named({ id: node.serviceId, name: node.serviceName })));
    after.follow(pageInfo);
  }
  return found.toSorted(byName);
}

interface PageInfo {
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

interface Page {
  /** Null: the first page. */
  readonly cursor: string | null;
  /** Says what came after it; without a word the walk ends. */
  follow(info: PageInfo): void;
}

/** From the first page, or from what follows `seen`. A cursor that stands still ends the walk with an error. */
function* pages(seen?: PageInfo): Generator<Page, void> {
  let next: PageInfo | undefined = seen ?? { hasNextPage: true, endCursor: null };
  for (let count = 0; next?.hasNextPage === true; count += 1) {
    if (count === MAX_PAGES || (count > 0 && next.endCursor === null)) {
      throw new LockstepError("TARGET_PROTOCOL", "Railway's list does not come to an end.");
    }
    const cursor: string | null = next.endCursor;
    next = undefined;
    yield {
      cursor,
      follow: (info) => {
        next = info;
      },
    };
  }
}

/** A target's remedies speak of a target that exists already. */
async function worded<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    const hint = HINTS[error.code];
    if (hint === undefined) throw error;
    throw new LockstepError(error.code, error.message.replace(` at target "${NAME}"`, " at Railway"), {
      details: error.details,
      hint,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
  }
}

const HINTS: Readonly<Record<string, string>> = {
  TARGET_CREDENTIAL_REJECTED:
    "Make a token (a project token under the project's settings, for one environment, reaches least) and set RAILWAY_TOKEN to it.",
  TARGET_MISSING: "Choose what the token reaches, or use a token that reaches more.",
  TARGET_UNREACHABLE: "Check the network of the machine that `lockstep up` runs on, and the endpoint.",
  TARGET_UNAVAILABLE: "Try again in a moment.",
};

function named({ id, name }: FoundName): FoundName {
  return { id, name: visibleLine(name).slice(0, MAX_NAME_LENGTH) };
}

function byName(left: FoundName, right: FoundName): number {
  return left.name.localeCompare(right.name, "en");
}
