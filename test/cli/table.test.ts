/** Tables on terminals of every width: a row stays one row, and what explains is never lost. */
import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { renderTable, type TableColumn } from "../../src/edges/cli/table.ts";

interface Row {
  readonly secret: string;
  readonly key: string;
  readonly state: string;
  readonly reason: string;
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { header: "secret", cell: ({ secret }) => secret, shrink: true },
  { header: "key", cell: ({ key }) => key, shrink: true },
  { header: "state", cell: ({ state }) => state, tone: () => "bad" },
  { header: "reason", cell: ({ reason }) => reason, below: true },
];

const ROW: Row = {
  secret: "INTERNAL_AUTH_SECRET",
  key: "/etc/applications/checkout/environment:INTERNAL_AUTH_SECRET",
  state: "stale",
  reason: "the unit app.service on vps.example.com did not start with the new value, and was put back",
};
const FINE: Row = { secret: "API_KEY", key: "API_KEY", state: "in-sync", reason: "" };

const plain = (_tone: unknown, text: string) => text;
const render = (rows: readonly Row[], maxWidth: number | null) =>
  renderTable(COLUMNS, rows, { maxWidth, paint: plain });

test("a file gets every row whole, in one line", () => {
  expect(render([ROW, FINE], null)).toEqual([
    "SECRET                KEY                                                          STATE    REASON",
    `INTERNAL_AUTH_SECRET  ${ROW.key}  stale    ${ROW.reason}`,
    "API_KEY               API_KEY                                                      in-sync",
  ]);
});

test("where it is too wide, the reason stands below its row, in full", () => {
  expect(render([ROW, FINE], 100)).toEqual([
    "SECRET                KEY                                                          STATE",
    `INTERNAL_AUTH_SECRET  ${ROW.key}  stale`,
    "    the unit app.service on vps.example.com did not start with the new value, and was put back",
    "API_KEY               API_KEY                                                      in-sync",
  ]);
});

test("where even that is too wide, long names lose their middle", () => {
  expect(render([ROW], 60)).toEqual([
    "SECRET                KEY                              STATE",
    "INTERNAL_AUTH_SECRET  /etc/applicatio…RNAL_AUTH_SECRET  stale".replace(
      "applicatio…RNAL",
      "applicatio…NAL",
    ),
    "    the unit app.service on vps.example.com did not start",
    "    with the new value, and was put back",
  ]);
});

test("a column that explains nothing takes no place", () => {
  expect(render([FINE], 100)[0]).toBe("SECRET   KEY      STATE");
});

test("blanks that align are not painted", () => {
  const painted = renderTable(COLUMNS, [FINE, ROW], { maxWidth: null, paint: (_, text) => `<${text}>` });
  expect(painted[2]).toContain("<stale>    the");
});

test("columns stand below each other whatever script a name is in", () => {
  const names = ["日本語", "cafe\u0301", "plain"];
  const shown = render(
    names.map((secret) => ({ ...FINE, secret })),
    null,
  );
  const before = shown.slice(1).map((line) => line.slice(0, line.indexOf(" API_KEY")));
  expect(before.map((text) => stringWidth(text))).toEqual([7, 7, 7]);
});

test("a name in wide characters is cut where it would be too wide, and never within a letter", () => {
  const [, row = ""] = render([{ ...ROW, secret: "e\u0301".repeat(60), key: "鍵".repeat(40) }], 60);
  expect(stringWidth(row)).toBeLessThanOrEqual(60);
  expect(row).toMatch(/^(?:e\u0301)+…(?:e\u0301)+ {2}鍵+…鍵+ /);
});

describe("on any terminal of at least 60 columns", () => {
  const text = fc.string({ unit: fc.constantFrom(..."abc /-_:é…", "中", "👍🏽", "e\u0301"), maxLength: 80 });
  const rows = fc.array(
    fc.record({ secret: text, key: text, state: fc.constantFrom("in-sync", "owed"), reason: text }),
    { maxLength: 5 },
  );

  test("no line is wider than it, and every state is shown whole", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 60, max: 200 }), (given, maxWidth) => {
        const shown = render(given, maxWidth);
        const words = given.flatMap(({ reason }) => reason.split(" "));
        // A word that is longer than the line is the one thing that a terminal has to break itself.
        if (words.every((word) => stringWidth(word) <= maxWidth - 4)) {
          for (const line of shown) expect(stringWidth(line)).toBeLessThanOrEqual(maxWidth);
        }
        const states = shown.join("\n").match(/in-sync|owed/g) ?? [];
        expect(states).toEqual(given.map(({ state }) => state));
      }),
    );
  });

  test("nothing of a reason is lost", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 60, max: 200 }), (given, maxWidth) => {
        const squeezed = render(given, maxWidth).join(" ").replaceAll(/\s+/g, " ");
        for (const { reason } of given) expect(squeezed).toContain(reason.replaceAll(/\s+/g, " ").trim());
      }),
    );
  });
});
