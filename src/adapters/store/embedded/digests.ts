/**
 * What `digestCode` gives for the packages of version 18.4.0-beta.17, whose archives have the digests of our
 * lockfile. A new version of the package changes these in the same commit. (Both macOS packages hold the same
 * universal programs.)
 */
export const PINNED: Readonly<Record<string, string>> = {
  "linux-x64": "ae92726baf33c5ed022d2fd3a29e305fd9159426f9dba45b98aff649748f7443",
  "linux-arm64": "67bb736b4d32fbca3d5fe4acd42f698815f47825f84cef156430f002f6d815d3",
  "darwin-arm64": "3bbb645c5ffc8f93541e12f9274098012542d469df9f38c7c299a2cb475fc7e5",
  "darwin-x64": "3bbb645c5ffc8f93541e12f9274098012542d469df9f38c7c299a2cb475fc7e5",
};

/** Data directories of another major version cannot be opened. */
export const POSTGRES_MAJOR = "18";
