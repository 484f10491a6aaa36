import { expect, test } from "vitest";
import { CATALOGUE } from "../../src/core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../src/core/errors.ts";
import { toProblem, translateError } from "../../src/edges/http/problem.ts";
import { problem } from "../../src/protocol/api-parts.ts";

test("a foreign error leaves without its text", () => {
  const answer = toProblem(translateError(new Error("canary-value in a foreign message")));
  expect(answer).toMatchObject({ code: "INTERNAL", status: 500 });
  expect(JSON.stringify(answer)).not.toContain("canary");
});

test.each(Object.keys(CATALOGUE) as ErrorCode[])("%s becomes a whole problem document", (code) => {
  const answer = problem.parse(
    toProblem(new LockstepError(code, "Cannot do it: reason.", { details: { id: 1 } })),
  );
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer).toMatchObject({ code, detail: "Cannot do it: reason.", details: { id: 1 } });
});
