/**
 * The form of one operation of the API: everything that the server checks, the CLI types and OpenAPI tells, in one
 * place. Protocol only: what an operation does is the server's matter.
 */
import { z } from "zod";

export const API_PREFIX = "/api/v1";

type Shape = z.ZodObject<z.ZodRawShape>;

export interface Operation {
  readonly method: "GET" | "POST";
  /** Below the prefix; parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  /** What the token must be allowed to do; null: nothing but to be valid. */
  readonly permission: string | null;
  readonly params: Shape;
  readonly query: Shape;
  /** Null: the operation takes no body. */
  readonly body: z.ZodType | null;
  readonly answer: z.ZodType;
  /** The answer holds a value or a token: never stored for a repeated request, never cached. */
  readonly confidential: boolean;
}

const nothing = z.strictObject({});

interface Given {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  readonly permission: string | null;
  readonly params?: Shape;
  readonly query?: Shape;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  readonly confidential?: boolean;
}

type Completed<G extends Given> = {
  readonly method: G["method"];
  readonly path: G["path"];
  readonly summary: string;
  readonly permission: G["permission"];
  readonly params: G["params"] extends Shape ? G["params"] : typeof nothing;
  readonly query: G["query"] extends Shape ? G["query"] : typeof nothing;
  readonly body: G["body"] extends z.ZodType ? G["body"] : null;
  readonly answer: G["answer"];
  readonly confidential: boolean;
};

export function operation<const G extends Given>(given: G): Completed<G> {
  return {
    params: nothing,
    query: nothing,
    body: null,
    confidential: false,
    ...given,
  } as unknown as Completed<G>;
}

/** What a caller gives, before defaults are filled in. */
export interface CallOf<O extends Operation> {
  readonly params: z.input<O["params"]>;
  readonly query: z.input<O["query"]>;
  readonly body: O["body"] extends z.ZodType ? z.input<O["body"]> : undefined;
}

/** What a handler receives, checked. */
export interface CheckedCall<O extends Operation> {
  readonly params: z.output<O["params"]>;
  readonly query: z.output<O["query"]>;
  readonly body: O["body"] extends z.ZodType ? z.output<O["body"]> : undefined;
}

export type AnswerOf<O extends Operation> = z.output<O["answer"]>;
