/** Which program an installed service names, read back from its file, and whether it is still there. */
import { access, constants, readFile } from "node:fs/promises";
import { OURS } from "./service.ts";

export interface InstalledProgram {
  /** The unit's or job's file. */
  readonly path: string;
  /** Files that it names: Node, where there is one, and the program. */
  readonly files: readonly string[];
  /** Files that it names and that are gone. */
  readonly missing: readonly string[];
}

/** Null: there is no such service of ours, or it cannot be read. */
export async function installedProgram(path: string): Promise<InstalledProgram | null> {
  const content = await readFile(path, "utf8").catch(() => null);
  if (content === null || !content.slice(0, 600).includes(OURS)) return null;
  const words = path.endsWith(".plist") ? wordsOfJob(content) : wordsOfUnit(content);
  const end = words.indexOf("agent");
  const files = words.slice(0, end < 0 ? undefined : end).filter((word) => word.startsWith("/"));
  const there = await Promise.all(files.map((file, index) => isThere(file, index === 0)));
  return { path, files, missing: files.filter((_file, index) => there[index] === false) };
}

async function isThere(file: string, isProgram: boolean): Promise<boolean> {
  return await access(file, isProgram ? constants.X_OK : constants.F_OK).then(
    () => true,
    // What may not be looked at is not known to be gone.
    (error: unknown) => !["ENOENT", "ENOTDIR"].includes(String((error as { code?: unknown }).code)),
  );
}

/** As systemd-unit.ts writes them. */
function wordsOfUnit(content: string): readonly string[] {
  const line = /^ExecStart=(.*)$/m.exec(content)?.[1] ?? "";
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare = ""]) =>
    (quoted === undefined ? bare : quoted.replaceAll(/\\(.)/g, "$1"))
      .replaceAll("%%", "%")
      .replaceAll("$$", "$"),
  );
}

/** As launchd-job.ts writes them. */
function wordsOfJob(content: string): readonly string[] {
  const array = /<key>ProgramArguments<\/key>\s*<array>([\s\S]*?)<\/array>/.exec(content)?.[1] ?? "";
  return [...array.matchAll(/<string>([^<]*)<\/string>/g)].map(([, word = ""]) =>
    word.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  );
}
