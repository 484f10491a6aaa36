/** What a host refuses, in words: which place, which user, which right. */
import { expect, it } from "vitest";
import { refusal } from "../../../src/adapters/hosts/script/answer.ts";

it.each([
  [
    "denied",
    "make 1001 /srv/app",
    "TARGET_PERMISSION",
    "the user with id 1001 may not make files in the directory /srv/app",
  ],
  ["denied", "read 1001 /srv/a b", "TARGET_PERMISSION", "the user with id 1001 may not read /srv/a b"],
  ["denied", "enter 0 /srv", "TARGET_PERMISSION", "the user with id 0 may not enter the directory /srv"],
  // SFTP tells no user; and no path passes for words.
  ["denied", "/srv/app/env", "TARGET_PERMISSION", "no right to /srv/app/env"],
  ["denied", "toString 1 /srv", "TARGET_PERMISSION", "no right to toString 1 /srv"],
  ["full", "/srv/app", "TARGET_FULL", "the disk there is full (/srv/app)"],
  ["read-only", "/srv/app", "TARGET_READ_ONLY", "the file system there can only be read (/srv/app)"],
])("%s %s", (word, rest, code, why) => {
  expect(refusal("write /srv/app/env on deploy@host:22", { word, rest })).toMatchObject({
    code,
    message: `Cannot write /srv/app/env on deploy@host:22: ${why}.`,
  });
});
