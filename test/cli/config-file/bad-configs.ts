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
    name: "half a character",
    text: target('vault: { path: "apps/\\ud800x" }'),
    at: "3:14",
    where: "target t, vault, path",
    says: ["half a character", "\\u"],
  },
  {
    name: "half a character in a key",
    text: target('vault: { "pa\\udc00th": x }'),
    at: "3:14",
    where: "target t, vault",
    says: ["half a character", "\\u"],
  },
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
  ...[
    ["a version", "1.10"],
    ["a hexadecimal number", "0x1F"],
    ["an octal number of today", "0o17"],
    ["an exponent", "1e3"],
    ["an exponent of a fraction", "2.5E10"],
    ["a telephone number", "+4912345"],
    ["a whole number with a point", "7.0"],
    ["a number that begins with its point", ".5"],
    ["more than 2^53", "9007199254740993"],
    ["more digits than a fraction keeps", "3.14159265358979323846"],
    ["a zero below none", "-0"],
  ].map(([name = "", number = ""]) => ({
    name: `${name} among claims`,
    text: `${TARGET}secrets:\n  A: { issue: { jwt: { key: K, algorithm: HS256, life: 1h, claims: { ver: ${number} } } } }\n`,
    at: "3:70",
    where: "secret A, issue, jwt, claims, ver",
    says: ["digits as they are written", 'quotes ("…")'],
  })),
  {
    name: "a number that is none",
    text: target("ssh: { id: .nan }"),
    at: "3:12",
    where: "target t, ssh, id",
    says: ["quotes"],
  },
  {
    name: "a variable that is not set",
    text: target(`railway: { token: "\${env:RAILWAY_TOKN}" }`),
    at: "3:16",
    where: "environment production, target t, railway, token",
    says: ["RAILWAY_TOKN, which is not set", '"RAILWAY_TOKEN"'],
  },
  {
    name: "a variable that is empty",
    text: target(`railway: { token: "\${env:EMPTY}" }`),
    at: "3:16",
    where: "environment production, target t, railway, token",
    says: ["EMPTY, which is empty", "Set EMPTY"],
  },
  {
    name: "a variable without a name",
    text: target(`railway: { token: "\${env:}" }`),
    at: "3:16",
    where: "target t, railway, token",
    says: ["names no environment variable"],
  },
  {
    name: "a file that does not exist",
    text: target(`ssh: { privateKey: "\${file:~/.ssh/id_rsa}" }`),
    at: "3:12",
    where: "environment production, target t, ssh, privateKey",
    says: ["~/.ssh/id_rsa, which does not exist"],
  },
  {
    name: "a file that is empty",
    text: target(`ssh: { privateKey: "\${file:empty.txt}" }`),
    at: "3:12",
    where: "environment production, target t, ssh, privateKey",
    says: ["is empty"],
  },
  {
    name: "a file that is no text",
    text: target(`ssh: { privateKey: "\${file:binary.bin}" }`),
    at: "3:12",
    where: "environment production, target t, ssh, privateKey",
    says: ["not UTF-8"],
  },
  {
    name: "a variable that came with what cannot be seen",
    text: target(`railway: { token: "\${env:COPIED}" }`),
    at: "3:16",
    where: "environment production, target t, railway, token",
    says: ["COPIED, which begins with a byte order mark", "Take that out"],
  },
  {
    name: "a file that came with what cannot be seen",
    text: target(`ssh: { privateKey: "\${file:copied.txt}" }`),
    at: "3:12",
    where: "environment production, target t, ssh, privateKey",
    says: ["copied.txt, which ends with a character that cannot be seen (U+00A0)"],
  },
  {
    name: "a directory as a file",
    text: target(`ssh: { privateKey: "\${file:home}" }`),
    at: "3:12",
    where: "environment production, target t, ssh, privateKey",
    says: ["is a directory"],
  },
  {
    name: "another user's home",
    text: target(`ssh: { privateKey: "\${file:~root/x}" }`),
    at: "3:12",
    where: "target t, ssh, privateKey",
    says: ["another user's home"],
  },
  {
    name: "a reference of an unknown kind",
    text: target(`ssh: { privateKey: "\${vars:X}" }`),
    at: "3:12",
    where: "target t, ssh, privateKey",
    says: ["neither env nor file"],
  },
  {
    name: "a reference beside other text",
    text: target(`railway: { token: "\${file:~/.aws/credentials}-\${env:CI_SECRET}" }`),
    at: "3:16",
    where: "target t, railway, token",
    says: ["mixes a reference with other text", "whole credential"],
  },
  {
    name: "a reference in an address",
    text: target(`railway: { endpoint: "\${env:RAILWAY_TOKEN}" }`),
    at: "3:16",
    where: "target t, railway, endpoint",
    says: ["which only credentials may", "private key"],
  },
  {
    name: "a reference inside a host's name",
    text: target(`ssh: { host: "\${env:RAILWAY_TOKEN}.example.com" }`),
    at: "3:12",
    where: "target t, ssh, host",
    says: ["which only credentials may"],
  },
  {
    name: "a reference as a name",
    text: target(`ssh: { "\${env:RAILWAY_TOKEN}": x }`),
    at: "3:12",
    where: `target t, ssh, \${env:RAILWAY_TOKEN}`,
    says: ["in a name"],
  },
  {
    name: "a reference in a path",
    text: target(`ssh: { host: h }\n    files: [{ path: "/tmp/\${file:token.txt}" }]`),
    at: "4:15",
    where: "target t, file 1, path",
    says: ["which only credentials may"],
  },
  {
    name: "a reference in a probe's header",
    text: binding(
      `target: t, role: verifier, probe: { http: { url: "https://a.example/", headers: { X: "\${env:RAILWAY_TOKEN}", Y: "{{value}}" }, accepted: [200], refused: [401] } }`,
    ),
    at: "5:93",
    where: "secret A, binding 1, probe, http, headers, X",
    says: ["lockstep secret set"],
  },
  {
    name: "a reference in a channel's address",
    text: `${TARGET}alerts:\n  ops: { webhook: { url: "https://\${env:RAILWAY_TOKEN}.example.com/", secret: "\${env:RAILWAY_TOKEN}" } }\n`,
    at: "3:21",
    where: "alerts, ops, webhook, url",
    says: ["which only credentials may"],
  },
  {
    name: "a reference outside of targets",
    text: binding(`target: t, role: both, template: "\${env:RAILWAY_TOKEN}{{value}}"`),
    at: "5:34",
    where: "secret A, binding 1, template",
    says: ["lockstep secret set"],
  },
];
