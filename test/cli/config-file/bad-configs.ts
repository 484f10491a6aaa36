/** Configurations with one mistake each, and what must be told about it. */

/**
 * text: the file. at: "line:column" of the one problem. where: the path in words. says: parts of message and remedy.
 */
export interface BadCase {
  readonly name: string;
  readonly text: string;
  readonly at: string;
  readonly where: string;
  readonly says: readonly string[];
}

export const TARGET = "targets: { t: { ssh: { host: h } } }\n";
export const binding = (inside: string): string =>
  `${TARGET}secrets:\n  A:\n    bindings:\n      - { ${inside} }\n`;
export const target = (inside: string): string => `targets:\n  t:\n    ${inside}\n`;

export const UNREADABLE: readonly BadCase[] = [
  {
    name: "an empty file",
    text: "",
    at: "1:1",
    where: "the file",
    says: ["is empty", "never means deleting"],
  },
  { name: "a file of comments", text: "# nothing\n", at: "1:1", where: "the file", says: ["is empty"] },
  { name: "a list at the top", text: "- a\n", at: "1:1", where: "the file", says: ["mapping"] },
  {
    name: "an unknown key at the top",
    text: `${TARGET}secret: {}\n`,
    at: "2:1",
    where: "secret",
    says: ['"secrets"'],
  },
  {
    name: "a duplicate key",
    text: "targets: {}\ntargets: {}\n",
    at: "2:1",
    where: "the file",
    says: ["twice"],
  },
  {
    name: "a duplicate secret",
    text: "secrets:\n  A: { bindings: [] }\n  A: { bindings: [] }\n",
    at: "3:3",
    where: "the file",
    says: ["twice", "Keep one"],
  },
  {
    name: "a merge key",
    text: "targets:\n  a: &a { ssh: {} }\n  b:\n    <<: *a\n    ssh: {}\n",
    at: "4:5",
    where: "target b, <<",
    says: ["merge key", "Write the keys out"],
  },
  {
    name: "an undefined alias",
    text: "targets: { t: *no }\n",
    at: "1:12",
    where: "target t",
    says: ["alias"],
  },
  {
    name: "an alias that contains itself",
    text: "targets: &t\n  a: { ssh: *t }\n",
    at: "2:8",
    where: "target a, ssh",
    says: ["contains itself"],
  },
  {
    name: "two documents",
    text: `${TARGET}---\n${TARGET}`,
    at: "2:1",
    where: "the file",
    says: ["several documents"],
  },
  { name: "a tab", text: "targets:\n\tt: {}\n", at: "2:1", where: "the file", says: ["tab", "spaces"] },
  {
    name: "an open quote",
    text: 'targets: { t: { ssh: "a } }\n',
    at: "2:1",
    where: "the file",
    says: ["quote"],
  },
  { name: "an unknown tag", text: target("ssh: !vault x"), at: "3:10", where: "the file", says: ["tag"] },
  {
    name: "an octal number",
    text: target("ssh: { mode: 0600 }"),
    at: "3:12",
    where: "target t, ssh, mode",
    says: ["quotes"],
  },
  {
    name: "a number of twenty digits",
    text: target("ssh: { id: 12345678901234567890 }"),
    at: "3:12",
    where: "target t, ssh, id",
    says: ["digits", "quotes"],
  },
  {
    name: "a number that is none",
    text: target("ssh: { id: .nan }"),
    at: "3:12",
    where: "target t, ssh, id",
    says: ["quotes"],
  },
  {
    name: "a variable that is not set",
    text: target(`ssh: { token: "\${env:RAILWAY_TOKN}" }`),
    at: "3:12",
    where: "target t, ssh, token",
    says: ["RAILWAY_TOKN, which is not set", '"RAILWAY_TOKEN"'],
  },
  {
    name: "a variable that is empty",
    text: target(`ssh: { token: "\${env:EMPTY}" }`),
    at: "3:12",
    where: "target t, ssh, token",
    says: ["EMPTY, which is empty", "Set EMPTY"],
  },
  {
    name: "a variable without a name",
    text: target(`ssh: { token: "\${env:}" }`),
    at: "3:12",
    where: "target t, ssh, token",
    says: ["names no environment variable"],
  },
  {
    name: "a file that does not exist",
    text: target(`ssh: { key: "\${file:~/.ssh/id_rsa}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["~/.ssh/id_rsa, which does not exist"],
  },
  {
    name: "a file that is empty",
    text: target(`ssh: { key: "\${file:empty.txt}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["is empty"],
  },
  {
    name: "a file that is no text",
    text: target(`ssh: { key: "\${file:binary.bin}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["not UTF-8"],
  },
  {
    name: "a directory as a file",
    text: target(`ssh: { key: "\${file:home}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["is a directory"],
  },
  {
    name: "another user's home",
    text: target(`ssh: { key: "\${file:~root/x}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["another user's home"],
  },
  {
    name: "a reference of an unknown kind",
    text: target(`ssh: { key: "\${vars:X}" }`),
    at: "3:12",
    where: "target t, ssh, key",
    says: ["neither env nor file"],
  },
  {
    name: "a reference outside of targets",
    text: binding(`target: t, role: both, template: "\${env:RAILWAY_TOKEN}{{value}}"`),
    at: "5:34",
    where: "secret A, binding 1, template",
    says: ["lockstep secret set"],
  },
];
