/** What programs print besides a token is refused, each in words, and never brought anywhere. */
import { describe, expect, it } from "vitest";
import { readOutput } from "../../src/adapters/issuers/command/read-output.ts";
import { LockstepError } from "../../src/core/errors.ts";

const read = (text: string | Buffer) => readOutput("/opt/token", Buffer.from(text as string), undefined);

describe("the output of a program", () => {
  it.each(["abc", "abc\n", "abc\n\n", "sk_live-4.x~", "e30.e30.x", "user:pass", "YWJj==", "ghp_token1"])(
    "of one word is a token: %j",
    (text) => {
      expect(read(text)).toMatchObject({ life: null });
      expect(read(text).value.reveal()).toBe(text.trimEnd());
    },
  );

  it.each([
    ['{"token":"a b"}', "a b", null],
    ['{\r\n  "token": "abc",\r\n  "expiresIn": 60\r\n}\r\n', "abc", { kind: "for", ms: 60_000 }],
    ['{"token":"abc","expiresIn":"60"}', "abc", { kind: "for", ms: 60_000 }],
    ['{"token":"abc","expiresIn":null}', "abc", null],
  ])("of JSON is what it holds: %j", (text, token, life) => {
    expect(read(text).value.reveal()).toBe(token);
    expect(read(text).life).toEqual(life);
  });

  it.each([
    ["", "prints nothing"],
    ["\n", "prints nothing"],
    ["Welcome!\ncanary", "several lines"],
    ["WARNING: key expires\ncanary\n", "several lines"],
    ["canary\nDone.", "several lines"],
    ["Your token is canary", "several words"],
    [" canary", "several words, or a space"],
    ["canary \n", "several words, or a space"],
    ["\u001b[32mcanary\u001b[0m\n", "colours"],
    ["\uFEFFcanary", "byte order mark"],
    ['\uFEFF{"token":"canary"}', "byte order mark"],
    ["canary\r\n", "carriage returns"],
    ["0%\r100%\rcanary", "carriage returns"],
    ["token: canary", "several words"],
    ["token:canary", "a name before the token"],
    ["TOKEN=canary", "a name before the token"],
    ["export API_TOKEN=canary", "several words"],
    ["access_token=canary&expires_in=3", "a name before the token"],
    ['"canary"', "quotes or brackets"],
    ["'canary'", "quotes or brackets"],
    ['["canary"]', "quotes or brackets"],
    ["<html>canary</html>", "quotes or brackets"],
    ["null", "stands for nothing"],
    ["None\n", "stands for nothing"],
    ["undefined", "stands for nothing"],
    ["canäry", "visible ASCII"],
    ["canary\u200b", "visible ASCII"],
    ["can\u0000ary", "visible ASCII"],
    [Buffer.from([0x63, 0xff, 0xfe]), "no text in UTF-8"],
    ['Warning!\n{"token":"canary"}', "several lines"],
    ['{"token":"canary"}\nDone.', "nor the JSON of one"],
    ['{"token":"canary"}{"token":"canary"}', "nor the JSON of one"],
    ['{"access_token":"canary"}', "nor the JSON of one"],
    ['{"token":""}', "nor the JSON of one"],
    ['{"token":"canary","refreshToken":"canary"}', "a refresh token too"],
  ])("%j is refused: it %s", (text, words) => {
    let failure: unknown;
    try {
      read(text);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(LockstepError);
    expect(failure).toMatchObject({ code: "ISSUER_ANSWER", message: expect.stringContaining(words) });
    expect(JSON.stringify([failure, (failure as Error).message, (failure as Error).stack])).not.toContain(
      "canary",
    );
  });
});
