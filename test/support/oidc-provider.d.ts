/** What the tests use of oidc-provider, which ships no types. */
declare module "oidc-provider" {
  interface Saved {
    save(): Promise<string>;
  }
  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): import("node:http").RequestListener;
    on(event: string, listener: (...parts: never[]) => void): this;
    readonly Client: { find(id: string): Promise<object | undefined> };
    readonly Grant: new (
      content: object,
    ) => Saved & { addOIDCScope(scope: string): void };
    readonly RefreshToken: new (
      content: object,
    ) => Saved;
  }
}
