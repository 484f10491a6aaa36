/** Relay connections. Cursors are positions; a page is never longer than the platform allows. */
import { refusal } from "../refusal.ts";

export interface PageArguments {
  readonly after?: string | null;
  readonly before?: string | null;
  readonly first?: number | null;
  readonly last?: number | null;
}

export interface Connection<Node> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly startCursor: string | null;
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
  };
}

export function toConnection<Item, Node>(
  items: readonly Item[],
  page: PageArguments,
  maxPageSize: number,
  toNode: (item: Item) => Node,
): Connection<Node> {
  let from = page.after ? positionOf(page.after) + 1 : 0;
  let to = page.before ? Math.min(items.length, positionOf(page.before)) : items.length;
  if (typeof page.last === "number") from = Math.max(from, to - Math.min(page.last, maxPageSize));
  to = Math.min(to, from + Math.min(page.first ?? maxPageSize, maxPageSize));
  const edges = items.slice(from, to).map((item, index) => ({
    cursor: cursorOf(from + index),
    node: toNode(item),
  }));
  return {
    edges,
    pageInfo: {
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
      hasNextPage: to < items.length,
      hasPreviousPage: from > 0,
    },
  };
}

function cursorOf(position: number): string {
  return Buffer.from(`position:${position}`).toString("base64url");
}

function positionOf(cursor: string): number {
  const match = /^position:(\d{1,9})$/.exec(Buffer.from(cursor, "base64url").toString());
  if (match === null) throw refusal("Invalid cursor");
  return Number(match[1]);
}
