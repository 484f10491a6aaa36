import { expect, expectTypeOf, it } from "vitest";
import type { z } from "zod";
import type { ApplyRequest, ConfigApplied } from "../../../src/app/config/apply-config.ts";
import type { Imported, ImportRequest } from "../../../src/app/config/import-secret.ts";
import type { ConfigPlan } from "../../../src/app/config/plan-view.ts";
import type { ConfigRequest } from "../../../src/app/config/prepare.ts";
import {
  type applyAnswerSchema,
  applyRequestSchema,
  type importAnswerSchema,
  type importRequestSchema,
  type planAnswerSchema,
  type planRequestSchema,
} from "../../../src/protocol/config-api.ts";

it("speaks on the wire what the use cases take and answer", () => {
  expectTypeOf<z.output<typeof planRequestSchema>>().toExtend<ConfigRequest>();
  expectTypeOf<z.output<typeof applyRequestSchema>>().toExtend<ApplyRequest>();
  expectTypeOf<z.output<typeof importRequestSchema>>().toExtend<ImportRequest>();
  expectTypeOf<ConfigPlan>().toExtend<z.output<typeof planAnswerSchema>>();
  expectTypeOf<ConfigApplied>().toExtend<z.output<typeof applyAnswerSchema>>();
  expectTypeOf<Imported>().toExtend<z.output<typeof importAnswerSchema>>();
});

it("refuses unknown words in a request", () => {
  const request = { config: { environments: {} }, alowShrink: true };
  expect(applyRequestSchema.safeParse(request).success).toBe(false);
});
