/** Policies as people write them: `path "x" { capabilities = ["read"] }`, comments, nothing else. */
import { Refused } from "../wire/reply.ts";

const CAPABILITIES = ["create", "read", "update", "delete", "list", "sudo", "deny"] as const;
export type Capability = (typeof CAPABILITIES)[number] | "patch" | "scan";

export interface Rule {
  readonly path: string;
  readonly capabilities: ReadonlySet<Capability>;
}

const TOKEN = /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|("(?:[^"\\\n]|\\.)*"|[A-Za-z_]\w*|[{}[\]=,])/y;

function tokens(text: string): readonly string[] {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw refused(`illegal character at ${at}`);
    if (match[1] !== undefined) found.push(match[1]);
  }
  return found;
}

function refused(why: string): Refused {
  return new Refused(400, `failed to parse policy: ${why}`);
}

/** `extra`: capabilities of newer servers. Throws Refused, as the server does when the policy is stored. */
export function parsePolicy(text: string, extra: readonly Capability[]): readonly Rule[] {
  const queue = [...tokens(text)];
  const take = (): string => {
    const token = queue.shift();
    if (token === undefined) throw refused("unexpected end");
    return token;
  };
  const expectToken = (wanted: string): void => {
    const token = take();
    if (token !== wanted) throw refused(`expected ${wanted}, found ${token}`);
  };
  const rules: Rule[] = [];
  while (queue.length > 0) {
    expectToken("path");
    const path = unquoted(take()).replace(/^\//, "");
    if (path.includes("+*")) throw refused(`path "${path}": invalid use of wildcards ('+*' is forbidden)`);
    expectToken("{");
    const capabilities = new Set<Capability>();
    for (let name = take(); name !== "}"; name = take()) {
      if (name !== "capabilities") throw refused(`path "${path}": invalid key "${name}"`);
      expectToken("=");
      expectToken("[");
      for (let token = take(); token !== "]"; token = take())
        if (token !== ",") capabilities.add(capability(unquoted(token), path, extra));
    }
    // A denial leaves nothing else.
    rules.push({ path, capabilities: capabilities.has("deny") ? new Set(["deny"]) : capabilities });
  }
  return rules;
}

function unquoted(token: string): string {
  if (!token.startsWith('"')) throw refused(`expected a string, found ${token}`);
  return token.slice(1, -1).replace(/\\(.)/g, "$1");
}

function capability(name: string, path: string, extra: readonly Capability[]): Capability {
  const known: readonly string[] = [...CAPABILITIES, ...extra];
  if (!known.includes(name)) throw refused(`path "${path}": invalid capability "${name}"`);
  return name as Capability;
}
