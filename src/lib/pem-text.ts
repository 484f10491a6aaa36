/** Texts in the form of RFC 7468 (PEM), and of OpenSSH's private keys, whose last line end belongs to the form. Pure. */

const LAST_LINE = /(?:^|\n)-----END [^\r\n-]+-----[ \t]*$/;
const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----";

/** Keys, certificates and chains of them; words before the first are allowed there. */
export function isPem(text: string): boolean {
  return /(?:^|\n)-----BEGIN [^\r\n-]+-----\r?\n/.test(text) && LAST_LINE.test(text.replace(/[\r\n]+$/, ""));
}

/** OpenSSH reads them more strictly than PEM: not without the last line end, and with no Windows line ends. */
export function isOpenSshKey(text: string): boolean {
  return text.startsWith(OPENSSH);
}
