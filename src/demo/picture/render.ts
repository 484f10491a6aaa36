/**
 * A terminal's text as an SVG: real text, so that it can be searched, selected and read aloud; on a card of its own,
 * so that it is readable on light and dark pages alike. Pure.
 */
export interface PictureOptions {
  readonly title: string;
  readonly columns: number;
}

const CELL = { width: 8.4, height: 20, fontSize: 14 } as const;
const MARGIN = { side: 24, top: 52, bottom: 24 } as const;
const CARD = { background: "#0d1117", border: "#3d444d", text: "#e6edf3" } as const;
/** By SGR code; contrast at least 4.5 : 1 on the card. */
const FILL: Readonly<Record<string, string>> = {
  "31": "#ff7b72",
  "32": "#56d364",
  "33": "#e3b341",
  "2": "#9198a1",
};
/** Begins a change of colour; its code and `m` follow. */
export const CSI = "\u001b[";

interface Run {
  readonly column: number;
  readonly text: string;
  readonly code: string;
}

export function renderPicture(lines: readonly string[], { title, columns }: PictureOptions): string {
  const width = Math.ceil(columns * CELL.width + 2 * MARGIN.side);
  const height = lines.length * CELL.height + MARGIN.top + MARGIN.bottom;
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `  <circle cx="${24 + index * 20}" cy="22" r="6" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
  <title id="title">${escaped(title)}</title>
  <rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="${CARD.background}" stroke="${CARD.border}"/>
${dots.join("\n")}
  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${CELL.fontSize}" fill="${CARD.text}">
${lines.flatMap((line, row) => lineText(line, row)).join("\n")}
  </g>
</svg>
`;
}

function lineText(line: string, row: number): readonly string[] {
  const y = MARGIN.top + row * CELL.height + CELL.fontSize;
  const runs = runsOf(line).map(({ column, text, code }) => {
    const x = round(MARGIN.side + column * CELL.width);
    const fill = FILL[code] === undefined ? "" : ` fill="${FILL[code]}"`;
    const weight = code === "1" ? ' font-weight="bold"' : "";
    // Fixed, because every machine has another monospace font.
    const length = round([...text].length * CELL.width);
    return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${fill}${weight}>${escaped(text)}</tspan>`;
  });
  return runs.length === 0 ? [] : [`    <text y="${y}">${runs.join("")}</text>`];
}

/** Pieces of one colour. Also cut where blanks align columns: renderers fold them. */
function runsOf(line: string): readonly Run[] {
  const runs: Run[] = [];
  let column = 0;
  for (const [index, piece] of line.split(CSI).entries()) {
    const [, code = "", part = piece] = index === 0 ? [] : (/^([0-9;]*)m(.*)$/s.exec(piece) ?? []);
    for (const { 0: text, index: at } of part.matchAll(/\S+(?: \S+)*/g)) {
      runs.push({ column: column + [...part.slice(0, at)].length, text, code });
    }
    column += [...part].length;
  }
  return runs;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function round(length: number): number {
  return Math.round(length * 10) / 10;
}
