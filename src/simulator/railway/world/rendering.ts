/**
 * References between variables: `${{shared.NAME}}`, `${{Service Name.NAME}}` (the name in quotes or not),
 * `${{NAME}}` for the same service; alone or inside longer text, over several steps. Service names are case-sensitive. What cannot be resolved becomes
 * empty, also a reference from a shared variable to a service: it has no service to stand on. A reference to a value
 * that the reader may not see (null) makes the whole text unreadable.
 */
const REFERENCE = /\$\{\{\s*([^{}]*?)\s*\}\}/g;

export interface Renderable {
  readonly shared: ReadonlyMap<string, string | null>;
  /** By service name, provided names included. */
  readonly services: ReadonlyMap<string, ReadonlyMap<string, string | null>>;
}

/** Each reference's inside: "shared.NAME", "Service Name.NAME" or "NAME". */
export function referencesIn(text: string): string[] {
  return Array.from(text.matchAll(REFERENCE), (match) => match[1] ?? "");
}

/** `service` null: the shared scope. */
export function renderVariable(world: Renderable, service: string | null, name: string): string | null {
  return resolve(world, service, name, new Set());
}

function resolve(
  world: Renderable,
  service: string | null,
  name: string,
  trail: ReadonlySet<string>,
): string | null {
  const scope = service === null ? world.shared : world.services.get(service);
  const text = scope?.get(name);
  if (text === null) return null;
  const step = JSON.stringify([service, name]);
  // A circle has no end value; the platform's answer is not documented, and empty is what it gives for dead ends.
  if (text === undefined || trail.has(step)) return "";
  const deeper = new Set([...trail, step]);
  let readable = true;
  const rendered = text.replace(REFERENCE, (_, inside: string) => {
    const value = follow(world, service, inside, deeper);
    if (value === null) readable = false;
    return value ?? "";
  });
  return readable ? rendered : null;
}

function follow(
  world: Renderable,
  service: string | null,
  inside: string,
  trail: ReadonlySet<string>,
): string | null {
  const dot = inside.lastIndexOf(".");
  if (dot === -1) return resolve(world, service, inside, trail);
  const [owner, name] = [inside.slice(0, dot).replace(/^(["'])(.*)\1$/, "$2"), inside.slice(dot + 1)];
  if (owner === "shared") return resolve(world, null, name, trail);
  return service === null ? "" : resolve(world, owner, name, trail);
}
