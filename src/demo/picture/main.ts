/**
 * Makes the picture of the demo from a real run: node dist/demo/picture/main.js >src/demo/demo.svg
 *
 * Shows the chapters that tell the story, each whole, and the end; a line of dots stands where one is left out.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { ownProgram } from "../stage.ts";
import { CSI, renderPicture } from "./render.ts";

const COLUMNS = 80;
const SHOWN = ["outage", "diagnosis", "repair"] as const;
const NUMBERS: Readonly<Record<(typeof SHOWN)[number], number>> = { outage: 2, diagnosis: 3, repair: 4 };

const child = spawn(process.execPath, [ownProgram("main"), "demo"], {
  // A terminal of this width, without one.
  env: { PATH: "/usr/local/bin:/usr/bin:/bin", FORCE_COLOR: "1", COLUMNS: String(COLUMNS) },
  stdio: ["ignore", "pipe", "inherit"],
});
const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
if (code !== 0) throw new Error("the demo did not end well");

const chapters = said.trim().split(`\n${CSI}1m── `);
const numbered = (number: number): string =>
  `${CSI}1m── ${chapters.find((chapter) => chapter.startsWith(`${number} `))?.trim()}`;
/** After the last chapter's time. */
const end = (chapters.at(-1) ?? "").split("\n\n").slice(1).join("\n\n");
const dots = `${CSI}2m…${CSI}0m`;
const parts = [
  `${CSI}2m$${CSI}0m ${CSI}1mlockstep demo${CSI}0m`,
  dots,
  ...SHOWN.map((name) => numbered(NUMBERS[name])),
  dots,
  end,
];
process.stdout.write(
  renderPicture(parts.join("\n\n").split("\n"), {
    title: "lockstep demo: calls are refused, the doctor says why, one command repairs it",
    columns: COLUMNS,
  }),
);
