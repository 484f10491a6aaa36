/** Names directly below a folder, as LIST gives them: sorted, those of folders with a slash. Null: none. */
export function namesBelow(paths: Iterable<string>, folder: string): readonly string[] {
  const names = new Set<string>();
  for (const path of paths) {
    if (!path.startsWith(folder)) continue;
    const rest = path.slice(folder.length);
    if (rest === "") continue;
    const slash = rest.indexOf("/");
    names.add(slash === -1 ? rest : rest.slice(0, slash + 1));
  }
  return [...names].sort();
}
