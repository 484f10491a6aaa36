/** Makes writing outside a transaction impossible to overlook: the reading side of the store refuses it at once. */
import type { KyselyPlugin, QueryResult, RootOperationNode, UnknownRow } from "kysely";
import { LockstepError } from "../../core/errors.ts";

const READING = new Set<RootOperationNode["kind"]>(["SelectQueryNode", "RawNode"]);

export class ReadOnlyPlugin implements KyselyPlugin {
  transformQuery({ node }: { readonly node: RootOperationNode }): RootOperationNode {
    if (READING.has(node.kind)) return node;
    throw new LockstepError("INTERNAL", "Cannot write outside a transaction of the store.");
  }

  async transformResult({
    result,
  }: {
    readonly result: QueryResult<UnknownRow>;
  }): Promise<QueryResult<UnknownRow>> {
    return result;
  }
}
