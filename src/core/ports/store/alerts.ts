/** What a person should know without asking. At most one open alert of each kind and subject. */
export interface AlertContent {
  readonly kind: string;
  readonly subjectId: string;
  /** Louder ones replace quieter ones. */
  readonly level: string;
  readonly message: string;
  readonly remedy: string;
}

export interface AlertRecord extends AlertContent {
  readonly id: string;
  readonly openedAt: Date;
  readonly updatedAt: Date;
  readonly resolvedAt: Date | null;
}

export interface AlertRepo {
  /** Opens, or changes the open one. `opened` false: there was one. */
  raise(alert: AlertContent): Promise<{ readonly id: string; readonly opened: boolean }>;
  /** Null: none was open. */
  resolve(kind: string, subjectId: string): Promise<{ readonly id: string } | null>;
  /** Newest first. */
  list(which: { readonly open: boolean; readonly limit: number }): Promise<readonly AlertRecord[]>;
}
