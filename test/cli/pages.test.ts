/** Lists by pages: all of it, as much as was asked for, and no list without an end. */
import { describe, expect, it } from "vitest";
import { type PageQuery, type Pages, readPages } from "../../src/edges/cli/pages.ts";

const ROWS = Array.from({ length: 1_203 }, (_, at) => at);

/** As the server does: a cursor names the last row before. */
async function serve({ limit, after }: PageQuery): Promise<Pages<number>> {
  const from = after === undefined ? 0 : Number(after) + 1;
  const rows = ROWS.slice(from, from + limit);
  const last = rows.at(-1);
  return { rows, next: last === undefined || last === ROWS.length - 1 ? null : String(last) };
}

describe("a list by pages", () => {
  it.each([
    [{}, 0, 1_203, null],
    [{ limit: 3 }, 0, 3, "2"],
    [{ limit: 700 }, 0, 700, "699"],
    [{ limit: 3, after: "1199" }, 1_200, 3, null],
    [{ limit: 1_203 }, 0, 1_203, null],
  ])("%j", async (asked, first, count, next) => {
    expect(await readPages(asked, serve)).toEqual({ rows: ROWS.slice(first, first + count), next });
  });

  it("of an earlier release is its one answer", async () => {
    const answer = { rows: ROWS } as unknown as Pages<number>;
    expect(await readPages({}, async () => answer)).toEqual({ rows: ROWS, next: null });
  });

  it.each<[string, number, (page: number) => Pages<number>]>([
    ["repeats itself", 2, () => ({ rows: [1], next: "same" })],
    ["is empty and goes on", 1, (page) => ({ rows: [], next: String(page) })],
    ["never ends", 2_001, (page) => ({ rows: [1], next: String(page) })],
    ["has no text for a cursor", 1, () => ({ rows: [1], next: 7 }) as unknown as Pages<number>],
  ])("that %s is refused, after %i pages", async (_, most, answer) => {
    let pages = 0;
    const asking = readPages({}, async () => {
      pages += 1;
      return answer(pages);
    });
    await expect(asking).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
    expect(pages).toBe(most);
  });
});
