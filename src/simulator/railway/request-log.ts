/**
 * The record of every request, also of those that were spoiled. Names only: values come out of one call whose name
 * says so.
 */
import type { DescribedField, DescribedRequest } from "./api/inspect-request.ts";
import type { Fault } from "./faults/fault.ts";
import type { TokenKind } from "./world/model.ts";

/** no: nothing was executed. held: it may still be. late: after the answer. */
type Execution = "no" | "held" | "yes" | "late";

export interface RecordedRequest {
  /** 1-based, in the order of arrival. */
  readonly seq: number;
  readonly at: string;
  readonly operationName: string | null;
  readonly operationType: "query" | "mutation" | null;
  /** Names of root fields, aliases resolved. */
  readonly operations: readonly string[];
  readonly fields: readonly DescribedField[];
  readonly token: TokenKind | "none";
  readonly tokenName: string | null;
  /** Ids of all services it names. */
  readonly services: readonly string[];
  readonly variablesSet: readonly string[];
  readonly variablesDeleted: readonly string[];
  readonly userAgent: string | null;
  readonly fault: Fault["kind"] | null;
  /** null: not answered yet, or the connection was dropped. */
  readonly status: number | null;
  readonly dropped: boolean;
  readonly executed: Execution;
  /** Messages of GraphQL errors in the execution's result. */
  readonly errors: readonly string[];
}

export interface LogFilter {
  /** Root field or operation name. */
  readonly operation?: string | undefined;
  /** Service id. */
  readonly service?: string | undefined;
  readonly afterSeq?: number | undefined;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
export type OpenRecord = Mutable<RecordedRequest>;

const WRITES: ReadonlySet<string> = new Set([
  "variableCollectionUpsert",
  "variableUpsert",
  "variableDelete",
  "sharedVariableConfigure",
  "environmentStageChanges",
  "environmentPatchCommit",
  "environmentPatchCommitStaged",
]);
const DEPLOYS: ReadonlySet<string> = new Set([
  "serviceInstanceRedeploy",
  "serviceInstanceDeploy",
  "serviceInstanceDeployV2",
  "deploymentRedeploy",
  "deploymentRestart",
  "deploymentRollback",
]);

export class RequestLog {
  #records: OpenRecord[] = [];
  readonly #variables = new Map<number, Readonly<Record<string, unknown>>>();
  readonly #waiting = new Set<() => void>();
  #seq = 0;

  begin(
    described: DescribedRequest,
    facts: Pick<RecordedRequest, "at" | "token" | "tokenName" | "userAgent">,
  ): OpenRecord {
    this.#seq += 1;
    const { fields } = described;
    const record: OpenRecord = {
      seq: this.#seq,
      ...facts,
      operationName: described.operationName,
      operationType: described.operationType,
      operations: fields.map(({ field }) => field),
      fields,
      services: [...new Set(fields.flatMap(({ serviceIds }) => serviceIds))],
      variablesSet: fields.flatMap(({ set }) => set),
      variablesDeleted: fields.flatMap(({ deleted }) => deleted),
      fault: null,
      status: null,
      dropped: false,
      executed: "no",
      errors: [],
    };
    this.#records.push(record);
    this.#variables.set(record.seq, described.variables);
    this.changed();
    return record;
  }

  /** To be called after a record changed: whoever waits looks again. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  requests(filter: LogFilter = {}): RecordedRequest[] {
    return this.#records
      .filter(
        ({ seq, operations, operationName, services }) =>
          seq > (filter.afterSeq ?? 0) &&
          (filter.operation === undefined ||
            filter.operation === operationName ||
            operations.includes(filter.operation)) &&
          (filter.service === undefined || services.includes(filter.service)),
      )
      .map((record) => ({ ...record }));
  }

  /** Root fields received, aliases counted one by one. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { operations } of this.#records) {
      for (const name of operations) counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  }

  /** Requests that write variables or stage changes, whatever became of them. */
  writes(): RecordedRequest[] {
    return this.requests().filter(({ operations }) => operations.some((name) => WRITES.has(name)));
  }

  /** Requests that ask for a deployment or a restart, whatever became of them. */
  deploys(): RecordedRequest[] {
    return this.requests().filter(({ operations }) => operations.some((name) => DEPLOYS.has(name)));
  }

  /** The variables of the request as sent. Danger: values. */
  unsafeVariables(seq: number): Readonly<Record<string, unknown>> {
    return this.#variables.get(seq) ?? {};
  }

  /** Resolves once that many matching requests have been answered (or dropped); rejects after `timeoutMs`. */
  waitFor(
    filter: LogFilter & { readonly count?: number | undefined; readonly timeoutMs?: number | undefined },
  ) {
    const finished = () => this.requests(filter).filter(({ status, dropped }) => status !== null || dropped);
    return new Promise<RecordedRequest[]>((resolve, reject) => {
      const settle = (action: () => void) => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        action();
      };
      const look = () => {
        const found = finished();
        if (found.length >= (filter.count ?? 1)) settle(() => resolve(found));
      };
      const timer = setTimeout(
        () => settle(() => reject(new Error(`no ${filter.operation ?? "request"} came in time`))),
        filter.timeoutMs ?? 10_000,
      );
      this.#waiting.add(look);
      look();
    });
  }

  clear(): void {
    this.#records = [];
    this.#variables.clear();
  }
}
