/**
 * lockstep.yaml from answers. Pure. Holds no value and no credential, only `${env:…}` and `${file:…}`; every text is
 * quoted, and names from elsewhere stand in comments as one visible line.
 */
import { visibleLine } from "../../../lib/visible-text.ts";
import {
  type AgentAnswers,
  type Answers,
  type FileAnswers,
  type HostAnswers,
  PASSPHRASE_VARIABLE,
  type RailwayAnswers,
  type TargetAnswers,
  TOKEN_VARIABLE,
  VAULT_TOKEN_VARIABLE,
  type VaultAnswers,
} from "./answers.ts";

export function renderConfig({ environment, secret, targets }: Answers): string {
  return [
    "# What belongs where. This file holds no values: ${env:NAME} and ${file:path} are read on the machine of whoever runs",
    "# `lockstep plan`, which changes nothing, and `lockstep apply`. Change this file as you like; plan shows the effect.",
    `environment: ${environment}`,
    "",
    "secrets:",
    `  ${secret.name}:`,
    "    # What `lockstep rotate` and `lockstep secret generate` make.",
    "    generate: { random: { bytes: 32, encoding: base64url } }",
    ...(targets.length === 0
      ? ["    # Add places: - { target: NAME, role: verifier }", "    bindings: []"]
      : [
          "    # verifier: checks the secret on incoming requests; caller: sends it; both: does both.",
          "    # `key:` where a place has another name for it.",
          "    bindings:",
          ...targets.map(({ target, role }) => `      - { target: ${named(target)}, role: ${role} }`),
        ]),
    "",
    ...(targets.length === 0 ? ["targets: {}"] : ["targets:", ...targets.flatMap(renderTarget)]),
    "",
  ].join("\n");
}

/** The `activate` of a target, to be spread into it. */
export function activationOf(unit: FileAnswers["unit"]): { readonly activate?: Record<string, string> } {
  return unit === null ? {} : { activate: { [unit.manager]: unit.name } };
}

function renderTarget(target: TargetAnswers): readonly string[] {
  const lines = (): readonly string[] => {
    switch (target.kind) {
      case "railway":
        return railwayLines(target);
      case "ssh":
        return hostLines(target);
      case "agent":
        return agentLines(target);
      case "vault":
        return vaultLines(target);
    }
  };
  return [`  ${named(target.target)}:`, ...lines().map((line) => `    ${line}`)];
}

function railwayLines({ names, project, environment, service, endpoint }: RailwayAnswers): readonly string[] {
  return [
    ...(names === null
      ? []
      : [comment(`Service ${names.service} of project ${names.project}, environment ${names.environment}.`)]),
    "railway:",
    `  project: ${quoted(project)}`,
    `  environment: ${quoted(environment)}`,
    `  service: ${quoted(service)}`,
    `  token: "\${env:${TOKEN_VARIABLE}}"`,
    ...(endpoint === null ? [] : [`  endpoint: ${quoted(endpoint)}`]),
  ];
}

function hostLines(target: HostAnswers): readonly string[] {
  const { host, port, user, hostKey, keyFile, withPassphrase } = target;
  return [
    "ssh:",
    `  host: ${quoted(host)}`,
    `  port: ${port}`,
    `  user: ${named(user)}`,
    "  # The host's own public key. Another one is refused: `lockstep target trust` shows and compares it.",
    `  hostKey: ${quoted(hostKey)}`,
    `  privateKey: ${JSON.stringify(`\${file:${keyFile}}`)}`,
    ...(withPassphrase ? [`  passphrase: "\${env:${PASSPHRASE_VARIABLE}}"`] : []),
    ...fileLines(target),
  ];
}

function agentLines(target: AgentAnswers): readonly string[] {
  return [
    comment(`The machine dials out; it enrols with: lockstep agent invite ${target.target}`),
    "agent: {}",
    ...fileLines(target),
  ];
}

function vaultLines({ address, mount, path, namespace }: VaultAnswers): readonly string[] {
  return [
    "vault:",
    `  address: ${quoted(address)}`,
    `  mount: ${quoted(mount)}`,
    `  path: ${quoted(path)}`,
    ...(namespace === null ? [] : [`  namespace: ${quoted(namespace)}`]),
    "  # Or appRole: { roleId: …, secretId: … }, which logs in again by itself.",
    `  token: "\${env:${VAULT_TOKEN_VARIABLE}}"`,
  ];
}

function fileLines({ path, format, unit }: FileAnswers): readonly string[] {
  return [
    "files:",
    `  - { path: ${quoted(path)}, format: ${format} }`,
    ...(unit === null
      ? ["# Nothing is restarted: a new value is stored, and used when the application reads it."]
      : ["# Restarted after each change.", `activate: { ${unit.manager}: ${quoted(unit.name)} }`]),
  ];
}

function comment(text: string): string {
  return `# ${visibleLine(text)}`;
}

/** Names stay plain where YAML lets them. */
function named(text: string): string {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(text) && !RESERVED.test(text) ? text : quoted(text);
}

/** A literal `${` would be taken for a reference. A function, because `$$` in a replacement means `$`. */
function quoted(text: string): string {
  return JSON.stringify(text.replaceAll("${", () => "$${"));
}

/** Words that YAML 1.1 or 1.2 readers take for something else. */
const RESERVED = /^(?:y|n|yes|no|on|off|true|false|null)$/i;
