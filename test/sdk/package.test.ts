/** What an application gets that installs the package: the two libraries, without one of our dependencies. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
let room: string;
let archive: string;

beforeAll(() => {
  room = mkdtempSync(join(tmpdir(), "lockstep-package-"));
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", room], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  archive = join(room, filename);
  const installed = join(room, "node_modules", "lockstep");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", archive, "-C", installed, "--strip-components=1"]);
  writeFileSync(
    join(room, "application.mjs"),
    `import { createServer } from "node:http";
import { createVerifier, expressVerifier } from "lockstep/verify";
import { createCaller } from "lockstep/caller";
const judge = expressVerifier(createVerifier({ name: "KEY" }));
const server = createServer((request, response) => judge(request, response, () => response.end("in")));
server.listen(0, "127.0.0.1", async () => {
  const origin = \`http://127.0.0.1:\${server.address().port}\`;
  const answer = await createCaller({ name: "KEY", origins: [origin] }).fetch(origin);
  console.log(answer.status, await answer.text());
  server.close();
});
`,
  );
});
afterAll(() => rmSync(room, { recursive: true, force: true }));

it("works from the packed package, with nothing else installed", () => {
  const said = execFileSync(process.execPath, ["application.mjs"], {
    cwd: room,
    encoding: "utf8",
    env: { KEY: "a-value-of-the-application", PATH: process.env["PATH"] },
  });
  expect(said).toBe("200 in\n");
});

it("brings types for both", () => {
  const { exports } = JSON.parse(readFileSync(join(room, "node_modules/lockstep/package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly types: string }>>;
  };
  for (const name of ["./verify", "./caller"]) {
    const types = readFileSync(join(room, "node_modules/lockstep", exports[name]?.types ?? ""), "utf8");
    expect(types).toContain("export");
  }
});

it("keeps what only this project needs out of the package", () => {
  const listed = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" });
  expect(listed).not.toMatch(/^package\/(?:test|src|\.ci)\//m);
  // How a server is installed from it, and as which services.
  expect(listed).not.toMatch(/^package\/deploy\/(?!README\.md$|systemd\/)/m);
});
