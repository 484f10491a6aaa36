import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "plist";
import { describe, expect, it } from "vitest";
import { LocalHost } from "../../src/adapters/hosts/local/local-host.ts";
import { plistFormat as format } from "../../src/adapters/placements/formats/plist.ts";
import { applyToFiles, observeFiles, placedFileSchema } from "../../src/adapters/placements/placement.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { childEnvironment } from "../../src/lib/child-environment.ts";
import { lacks } from "../support/servers.ts";

const JOB = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<!-- the app -->
	<key>Label</key>
	<string>com.example.app</string>
	<key>EnvironmentVariables</key>
	<dict>
		<key>PATH</key>
		<string>/usr/bin:/bin</string> <!-- keep -->
		<key>TOKEN</key>
		<string>old &amp; &#x74;ired</string>
	</dict>
	<key>KeepAlive</key>
	<true/>
</dict>
</plist>
`;
const BARE = JOB.replace(/\t<key>Env[\s\S]+?<\/dict>\n/, "");

const nasty = fc.string({
  unit: fc.constantFrom(
    "a",
    " ",
    "\t",
    "\n",
    "<",
    ">",
    "&",
    "]",
    '"',
    "'",
    "#",
    ";",
    "é",
    "🔑",
    "\u2028",
    "\ufffe",
  ),
  maxLength: 12,
});

function environment(text: string): Readonly<Record<string, string>> {
  const root = parse(text) as { EnvironmentVariables?: Record<string, string> };
  return root.EnvironmentVariables ?? {};
}

describe("a launchd job's plist", () => {
  it("keeps every foreign byte, and changes the one value", () => {
    const after = format.write(JOB, new Map([["TOKEN", "n<w>&"]]));
    expect(after).toBe(JOB.replace("old &amp; &#x74;ired", "n&lt;w&gt;&amp;"));
    expect(format.read(JOB, ["TOKEN", "PATH", "Label"])).toEqual(
      new Map([
        ["PATH", "/usr/bin:/bin"],
        ["TOKEN", "old & tired"],
      ]),
    );
  });

  it("adds a key in the manner of its neighbours, and takes it away again to the byte", () => {
    const after = format.write(JOB, new Map([["ADDED", "x"]]));
    expect(after).toContain("ired</string>\n\t\t<key>ADDED</key>\n\t\t<string>x</string>\n\t</dict>");
    expect(format.write(after, new Map([["ADDED", null]]))).toBe(JOB);
  });

  it.each([
    ["no dict", BARE],
    ["an empty dict", BARE.replace("</string>", "</string>\n\t<key>EnvironmentVariables</key>\n\t<dict/>")],
    [
      "an odd closing tag",
      BARE.replace("</string>", "</string><key>EnvironmentVariables</key><dict ></dict >"),
    ],
    ["a root without members", '<plist version="1.0"><dict/></plist>'],
  ])("gets the variables where there is %s", (_what, text) => {
    const after = format.write(
      text,
      new Map([
        ["A", "1"],
        ["B", "2"],
      ]),
    );
    expect(environment(after)).toEqual({ A: "1", B: "2" });
    const { EnvironmentVariables: _ours, ...rest } = parse(after) as Record<string, unknown>;
    const { EnvironmentVariables: _theirs, ...before } = parse(text) as Record<string, unknown>;
    expect(rest).toEqual(before);
  });

  it("is read by the plist package as we read it, whatever value was accepted", () => {
    fc.assert(
      fc.property(nasty, (value) => {
        let text: string;
        try {
          format.assertValue("KEY", value);
          text = format.write(JOB, new Map([["KEY", value]]));
        } catch (error) {
          expect(error).toMatchObject({ code: "VALUE_NOT_REPRESENTABLE" });
          return;
        }
        expect(environment(text)["KEY"]).toBe(value);
        expect(environment(text)["PATH"]).toBe("/usr/bin:/bin");
      }),
      { numRuns: 1_000 },
    );
  });

  it.skipIf(lacks("python3"))("is read by Python's plistlib as we read it", () => {
    const values = fc.sample(nasty, 500).filter((value) => !/[\ufffe\u2028]/.test(value));
    const changes = new Map(values.map((value, index) => [`KEY_${index}`, value]));
    const script =
      "import plistlib,sys,json; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())['EnvironmentVariables']))";
    const seen = execFileSync("python3", ["-c", script], {
      input: format.write(JOB, changes),
      encoding: "utf8",
    });
    expect(JSON.parse(seen)).toMatchObject(Object.fromEntries(changes));
  });

  it.each([
    ["a binary one", "bplist00\u0001\u0002"],
    ["entities of its own", JOB.replace('.dtd">', '.dtd" [<!ENTITY x "y">]>')],
    ["an unknown entity", JOB.replace("&amp;", "&x;")],
    ["a character that does not exist", JOB.replace("&#x74;", "&#xd800;")],
    ["another encoding", JOB.replace("UTF-8", "UTF-16")],
    ["a key that stands twice", JOB.replace("PATH", "TOKEN")],
    ["two EnvironmentVariables", JOB.replace("Label", "EnvironmentVariables")],
    [
      "variables that are no dict",
      JOB.replace(/<dict>\n\t\t<key>PATH[\s\S]+?<\/dict>/, "<string>x</string>"),
    ],
    ["a processing instruction", JOB.replace("<dict>", "<?x y?><dict>")],
    ["an attribute", JOB.replace("<key>PATH", '<key id="x">PATH')],
    ["a comment in a value", JOB.replace("com.example", "com<!-- x -->.example")],
    ["an array as root", '<plist version="1.0"><array/></plist>'],
    ["a cut end", JOB.slice(0, -20)],
    ["something behind the end", `${JOB}<x/>`],
    ["nothing", ""],
    ["endless nesting", `<plist version="1.0"><dict><key>a</key>${"<array>".repeat(70_000)}`],
  ])("is refused rather than guessed with %s", (_what, text) => {
    for (const attempt of [
      () => format.read(text, ["TOKEN"]),
      () => format.write(text, new Map([["TOKEN", "x"]])),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code: "TARGET_REFUSED" }));
    }
  });

  it("is not made from nothing, because it would be no job", () => {
    expect(() => format.write(null, new Map([["A", "x"]]))).toThrow(/install the job first/);
  });

  it.each(["\u0000", "\u001b", "\r", "\ud800", "\uffff", "\u0085"])("refuses the value %j", (value) => {
    expect(() => format.assertValue("A", value)).toThrow(LockstepError);
  });

  it.each(["A B", "XPC_FLAGS", "1A", ""])("refuses the key %j", (key) => {
    expect(() => format.assertKey(key)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });

  it("is its owner's alone", () => {
    const file = { path: "~/Library/LaunchAgents/com.example.app.plist", format: "plist" };
    expect(placedFileSchema.parse(file).mode).toBe("0600");
    expect(placedFileSchema.safeParse({ ...file, mode: "0640" }).success).toBe(false);
    expect(placedFileSchema.safeParse({ ...file, format: "dotenv", mode: "0640" }).success).toBe(true);
  });
});

it("a plist that the group may read is refused on the host, with the remedy", async () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-plist-")));
  const host = new LocalHost({ environment: childEnvironment(process.env, { HOME: home }) });
  const path = join(home, "job.plist");
  const files = [{ path, format: "plist", mode: "0600" }] as const;
  const change = { set: [{ placement: path, key: "TOKEN", value: SecretValue.of("new") }], unset: [] };
  const order = { storeId: "store", epoch: 1, generation: 1, digest: null };
  const signal = AbortSignal.timeout(20_000);
  try {
    writeFileSync(path, JOB, { mode: 0o640 });
    const refused = expect.objectContaining({
      code: "FILE_UNSAFE",
      hint: "Take the rights away: chmod 600.",
    });
    await expect(applyToFiles(host, files, change, order, signal)).rejects.toThrow(refused);
    await expect(observeFiles(host, files, [{ placement: path, key: "TOKEN" }], signal)).rejects.toThrow(
      refused,
    );
    chmodSync(path, 0o600);
    expect(await applyToFiles(host, files, change, order, signal)).toEqual({ outcome: "changed" });
    expect(environment(readFileSync(path, "utf8"))["TOKEN"]).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(home, { recursive: true });
  }
});
