/** What a module remembers between calls: hidden from tests, from other processes, and from whoever reads the call. */

/** A statement at the top of a module, up to the line that ends it. */
const STATEMENT = /^(?:export )?(?:let|const|var) [^\n]*(?:\n[ \t)}\]][^\n]*)*/gm;
const EMPTY = /new (?:Weak)?(?:Map|Set)(?:<[^()]*>)?\(\)|: [\w<>, ]+\[\] = \[\]/;

/** The first line of each statement that makes something to be filled later. Constant tables are fine. */
export function stateIn(source: string): readonly string[] {
  return [...source.matchAll(STATEMENT)]
    .map(([statement]) => statement)
    .filter((statement) => {
      if (/^(?:export )?(?:let|var) /.test(statement)) return true;
      // Nothing can be put into it.
      if (/^(?:export )?const \w+: Readonly(?:Map|Set)</.test(statement)) return false;
      // What a function makes is its own.
      const [outside = ""] = statement.split("=>");
      return EMPTY.test(outside);
    })
    .map((statement) => statement.split("\n")[0] ?? "");
}
