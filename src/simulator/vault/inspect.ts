/** What a request means to whoever judges clients; changes nothing. */
import type { Core } from "./core.ts";
import { type RawRequest, tokenHeader } from "./wire/request.ts";

const OPEN_PATHS = ["sys/health", "sys/seal-status", "sys/leader"];

/** `path`: decoded, without `/v1/`. */
export function isLogin(path: string): boolean {
  return /(?:^|\/)auth\/.+\/login$/.test(path);
}

export function needsToken(path: string, raw: RawRequest): boolean {
  if (OPEN_PATHS.includes(path) || isLogin(path)) return false;
  const namesToken = typeof bodyOf(raw)["token"] === "string";
  return !(path.endsWith("sys/wrapping/lookup") && namesToken);
}

export function tokenState(core: Core, raw: RawRequest): "none" | "living" | "wrong" {
  const id = tokenHeader(raw);
  if (id === "") return "none";
  return core.knows(id) ? "living" : "wrong";
}

export function lacksCas(core: Core, path: string, raw: RawRequest): boolean {
  if (!["POST", "PUT", "PATCH"].includes(raw.method)) return false;
  const isData = [...core.realms.values()].some((realm) =>
    [...realm.mounts.values()].some(
      (mount) =>
        mount.kind === "kv-v2" &&
        [`${mount.path}data/`, `${realm.path}${mount.path}data/`].some((start) => path.startsWith(start)),
    ),
  );
  if (!isData) return false;
  const options = bodyOf(raw)["options"];
  return (
    options === null || typeof options !== "object" || typeof (options as { cas?: unknown }).cas !== "number"
  );
}

function bodyOf({ body }: RawRequest): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    return parsed !== null && typeof parsed === "object" ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
