/**
 * The services on Railway that use the secret. The token comes from the environment or a prompt without echo, goes to
 * the server for these look-ups alone, and is written nowhere.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { FoundName, FoundProjects } from "../../../protocol/api-first-run.ts";
import { didYouMean } from "../../../protocol/config-problem.ts";
import type { ApiClient } from "../client.ts";
import { type RailwayAnswers, type Role, TOKEN_VARIABLE } from "./answers.ts";
import { askRole } from "./ask-secret.ts";
import type { Asker, Question } from "./asker.ts";
import type { Checks } from "./checks.ts";
import type { TargetNames } from "./target-names.ts";

export interface RailwayOptions {
  readonly railwayProject?: string;
  readonly railwayEnvironment?: string;
  /** Each `SERVICE` or `SERVICE=ROLE`. */
  readonly railwayService?: readonly string[];
  readonly railwayEndpoint?: string;
}

export interface AskedRailway {
  readonly targets: readonly RailwayAnswers[];
  /** A token that was typed, for the rest of this run; whoever runs it must still set it. */
  readonly typedToken: string | null;
}

interface Access {
  readonly token: string;
  readonly endpoint?: string;
}

interface Chosen {
  readonly project: FoundName;
  readonly environment: FoundName;
}

const ID = /^[A-Za-z0-9-]{1,64}$/;
const ROLES: readonly string[] = ["verifier", "caller", "both"] satisfies readonly Role[];

export function wantsRailway(options: RailwayOptions): boolean {
  return [options.railwayProject, options.railwayEnvironment, options.railwayService].some(
    (given) => given !== undefined,
  );
}

export async function askRailway(
  asker: Asker,
  options: RailwayOptions,
  { checks, names }: { readonly checks: Checks; readonly names: TargetNames },
): Promise<AskedRailway> {
  const endpoint = options.railwayEndpoint ?? null;
  const { api } = checks;
  if (api === null) {
    checks.unchecked.push("that the Railway token reaches the project, environment and services");
    return { targets: await askIds(asker, options, { endpoint, names }), typedToken: null };
  }
  for (;;) {
    const { value: token, asked } = await asker.credential(TOKEN_VARIABLE, "Railway token");
    try {
      const access = { token, ...(endpoint === null ? {} : { endpoint }) };
      const targets = await lookUp(asker, options, { api, access, endpoint, names });
      return { targets, typedToken: asked ? token : null };
    } catch (error) {
      // One from the environment stays the same however often it is asked for.
      if (!asked) throw error;
      await asker.againAfter(error, "Try again with another token?");
    }
  }
}

interface Looking {
  readonly api: ApiClient;
  readonly access: Access;
  readonly endpoint: string | null;
  readonly names: TargetNames;
}

async function lookUp(asker: Asker, options: RailwayOptions, looking: Looking): Promise<RailwayAnswers[]> {
  const { api, access, endpoint, names } = looking;
  const found = await api.call("findRailwayProjects", { body: access });
  const { project, environment } = await chooseEnvironment(asker, options, found);
  const body = { ...access, environment: environment.id };
  const { services } = await api.call("findRailwayServices", { body });
  if (services.length === 0) {
    throw new LockstepError(
      "TARGET_MISSING",
      `There is no service in ${project.name}, ${environment.name}.`,
      {
        hint: "Choose another environment, or create the service first.",
      },
    );
  }
  const chosen = await chooseServices(asker, options, services);
  const answers: RailwayAnswers[] = [];
  for (const { service, role } of chosen) {
    const target = names.take(names.near(service.name, "railway"));
    answers.push({
      kind: "railway",
      target,
      role: await askRole(asker, target, { option: "--railway-service", given: role }),
      project: project.id,
      environment: environment.id,
      service: service.id,
      endpoint,
      names: { project: project.name, environment: environment.name, service: service.name },
    });
  }
  return answers;
}

async function chooseEnvironment(
  asker: Asker,
  options: RailwayOptions,
  { tokenKind, projects }: FoundProjects,
): Promise<Chosen> {
  const usable = projects
    .map((one) => ({ ...one, environments: one.environments.filter(({ accessible }) => accessible) }))
    .filter(({ environments }) => environments.length > 0);
  const project = await chooseOne(asker, usable, {
    option: "--railway-project",
    text: "Which Railway project?",
    given: options.railwayProject,
  });
  const environment = await chooseOne(asker, project.environments, {
    option: "--railway-environment",
    text: `Which environment of ${project.name}?`,
    given: options.railwayEnvironment,
  });
  const kind = tokenKind === "project" ? "A project token" : "An account or workspace token";
  asker.cli.output.note(`${kind}: project ${project.name}, environment ${environment.name}.`);
  return { project, environment };
}

/** The only one there is needs no question. */
async function chooseOne<Found extends FoundName>(
  asker: Asker,
  found: readonly Found[],
  question: Pick<Question, "option" | "text" | "given">,
): Promise<Found> {
  const [only] = found;
  if (only === undefined) {
    throw new LockstepError("TARGET_MISSING", "The Railway token reaches no environment.", {
      hint: "Use a project token of the environment, or a token of somebody who has access.",
    });
  }
  if (question.given !== undefined) return oneOf(question.given, found, question.option);
  if (found.length === 1) return only;
  const id = await asker.choice(
    question,
    found.map(({ id: value, name }) => ({ value, label: name })),
  );
  return found.find((one) => one.id === id) ?? only;
}

/** By id or name. Throws USAGE for a name that is not there, or that several bear. */
function oneOf<Found extends FoundName>(given: string, found: readonly Found[], option: string): Found {
  const byName = found.filter(({ name }) => name === given);
  const one = found.find(({ id }) => id === given) ?? (byName.length === 1 ? byName[0] : undefined);
  if (one !== undefined) return one;
  const names = found.map(({ name }) => name);
  const why = byName.length > 1 ? "several have that name; give the id" : `"${given}" is not among them`;
  throw new LockstepError("USAGE", `Cannot use ${option}: ${why}.`, {
    hint: didYouMean(given, names) ?? `The token reaches: ${names.slice(0, 10).join(", ")}.`,
  });
}

interface ChosenService {
  readonly service: FoundName;
  readonly role: string | undefined;
}

async function chooseServices(
  asker: Asker,
  options: RailwayOptions,
  services: readonly FoundName[],
): Promise<readonly ChosenService[]> {
  const { railwayService } = options;
  if (railwayService !== undefined) {
    return railwayService.map((given) => {
      const { name, role } = splitRole(given);
      return { service: oneOf(name, services, "--railway-service"), role };
    });
  }
  const ids = await asker.several(
    { option: "--railway-service", text: "Which services use the secret?" },
    services.map(({ id, name }) => ({ value: id, label: name })),
  );
  return services.filter(({ id }) => ids.includes(id)).map((service) => ({ service, role: undefined }));
}

/** Nobody to ask: ids as Railway's dashboard shows them. */
async function askIds(
  asker: Asker,
  options: RailwayOptions,
  { endpoint, names }: Pick<Looking, "endpoint" | "names">,
): Promise<RailwayAnswers[]> {
  const check = (text: string): string | null =>
    ID.test(text) ? null : "That is not a Railway id; copy the UUID from the dashboard (Cmd-K, Copy … ID).";
  const project = await asker.text({
    option: "--railway-project",
    text: "Railway project id",
    given: options.railwayProject,
    check,
  });
  const environment = await asker.text({
    option: "--railway-environment",
    text: "Railway environment id",
    given: options.railwayEnvironment,
    check,
  });
  const answers: RailwayAnswers[] = [];
  const given = options.railwayService?.map(splitRole);
  do {
    const { name, role } = given?.[answers.length] ?? {};
    const service = await asker.text({
      option: "--railway-service",
      text: "Railway service id",
      given: name,
      check,
    });
    const target =
      given === undefined
        ? await names.ask(
            asker,
            { option: "--railway-service", text: "Its name here" },
            names.near("api", "api"),
          )
        : names.take(names.near("railway", "railway"));
    answers.push({
      kind: "railway",
      target,
      role: await askRole(asker, target, { option: "--railway-service", given: role }),
      project,
      environment,
      service,
      endpoint,
      names: null,
    });
  } while (
    given === undefined ? await asker.confirm("Another service?", false) : answers.length < given.length
  );
  return answers;
}

/** `api=verifier`; a name may hold `=` itself. */
function splitRole(given: string): { readonly name: string; readonly role: string | undefined } {
  const at = given.lastIndexOf("=");
  const role = given.slice(at + 1);
  return at > 0 && ROLES.includes(role)
    ? { name: given.slice(0, at), role }
    : { name: given, role: undefined };
}
