/**
 * `issue: { openclaw }` in the words that everything else is said in: a value that is made here, `swap`, and at the
 * gateway's own binding a probe that asks it. What the configuration says itself stays.
 */
import { say } from "./config-problem.ts";
import type { OpenClawIssue } from "./issue.ts";
import type { Probe } from "./probe.ts";

/** Where the token stands in the gateway's configuration file. */
const TOKEN_KEY = "gateway.auth.token";

interface OpenClawBinding {
  readonly target: string;
  readonly role: "verifier" | "caller" | "both";
  readonly key?: string | undefined;
  readonly probe?: Probe | undefined;
}

export interface OpenClawProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** At the secret, for each part of it that cannot be right. */
export function openclawProblems(
  { at }: Pick<OpenClawIssue, "at">,
  bindings: readonly OpenClawBinding[],
  strategy: string | undefined,
): readonly OpenClawProblem[] {
  const problems: OpenClawProblem[] = [];
  const own = bindings.filter(({ target, role }) => target === at && role !== "caller");
  if (own.length !== 1)
    problems.push({
      path: ["issue", "openclaw", "at"],
      message: say(
        own.length === 0 ? `has no binding of the gateway at "${at}"` : `has several gateways at "${at}"`,
        `Give one binding with \`target: ${at}\` and \`role: verifier\`.`,
      ),
    });
  for (const [index, { role }] of bindings.entries())
    if (role === "both")
      problems.push({
        path: ["bindings", index, "role"],
        message: say(
          "cannot be `both`: the gateway accepts one token at a time",
          "Write verifier or caller.",
        ),
      });
  if (strategy !== undefined && strategy !== "swap" && strategy !== "replace")
    problems.push({
      path: ["rotate", "strategy"],
      message: say(
        "is not possible: the gateway accepts one token at a time",
        "Leave it out, or write swap.",
      ),
    });
  return problems;
}

export function asMadeHere<
  Binding extends OpenClawBinding & { readonly authority?: boolean | undefined },
  Rotate extends { readonly strategy?: "overlap" | "swap" | "issued" | "replace" | undefined },
>(
  { at, port, reload, bytes }: OpenClawIssue,
  { bindings, rotate }: { readonly bindings: readonly Binding[]; readonly rotate?: Rotate | undefined },
) {
  const isGateway = ({ target, role }: Binding) => target === at && role === "verifier";
  return {
    generate: { random: { bytes, encoding: "base64url" as const } },
    rotate: { strategy: "swap" as const, ...rotate },
    bindings: bindings.map((binding) =>
      isGateway(binding)
        ? {
            // A file of its own holds nothing else, so that its key is a name and no more.
            ...(reload ? {} : { key: TOKEN_KEY }),
            probe: { openclaw: { port, reload, timeoutSeconds: 10 } },
            authority: true,
            ...binding,
          }
        : binding,
    ),
  };
}
