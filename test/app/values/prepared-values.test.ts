import { beforeAll, beforeEach, expect, it } from "vitest";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { transactionWithValues } from "../../../src/app/values/prepared-values.ts";
import type { ValueStore } from "../../../src/core/ports/value-store.ts";
import type { VersionName } from "../../../src/core/secret.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

const NAME = { environment: "production", name: "AUTH" };

describeOnAStore("values that are put before their transaction holds locks", (database) => {
  let kit: LoopKit;
  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(() => kit.reset());

  /** A process whose values are put as ever, which tells what it put; `meanwhile` runs before each. */
  function watched(meanwhile: (of: VersionName, nth: number) => Promise<void> = async () => {}) {
    const puts: number[] = [];
    const { sealed } = kit.context.values;
    const wanted: ValueStore = {
      ...sealed,
      put: async (of, name, plain) => {
        puts.push(of.version);
        await meanwhile(of, puts.length);
        return sealed.put(of, name, plain);
      },
    };
    return { context: kit.other({ values: { wanted, sealed, named: null } }), puts };
  }
  const set = (value: string, context = kit.context) =>
    setSecret(context, TESTER, NAME, { value: SecretValue.of(value) });
  const stored = () => kit.rows("select version, state from secret_version order by version");

  it("a value is put while nobody's row is locked, and once", async () => {
    await set("one");
    const { context, puts } = watched(async ({ secretId }) => {
      await kit.rows(`select from secret where id = '${secretId}' for update nowait`);
    });
    expect(await set("two", context)).toMatchObject({ version: 2 });
    expect(puts).toEqual([2]);
  });

  it("a number that another took meanwhile is given up, and the value is put for the next", async () => {
    const { context, puts } = watched(async (_of, nth) => {
      if (nth < 4) await set(`faster ${nth}`);
    });
    expect(await set("slow", context)).toMatchObject({ version: 4 });
    expect(puts).toEqual([1, 2, 3, 4]);
    expect(await stored()).toHaveLength(4);
  });

  it("who is always overtaken gives up in the end, and has written nothing", async () => {
    const { context, puts } = watched(async (_of, nth) => {
      await set(`faster ${nth}`);
    });
    await expect(set("slow", context)).rejects.toMatchObject({ code: "STORE_BUSY" });
    expect(await stored()).toHaveLength(puts.length);
  });

  it("what is refused puts nothing", async () => {
    const { context, puts } = watched();
    await set("one");
    await expect(
      transactionWithValues(context, async (tx) => {
        await tx.meta.read();
        throw new RangeError("refused");
      }),
    ).rejects.toThrow();
    expect(puts).toEqual([]);
  });

  it("a transaction that Postgres asks for again takes what was put, for the same version", async () => {
    await set("one");
    const { context, puts } = watched();
    const secret = (await kit.context.store.read.secrets.find("production", "AUTH")) ?? expect.fail();
    let asked = 0;
    await transactionWithValues(context, async (tx) => {
      const version = await tx.secrets.lockForNewVersion(secret.id);
      const fields = new Map([["value", SecretValue.of("again")]]);
      const { stored, fingerprint } = tx.values.take({ secretId: secret.id, version, fields });
      await tx.secrets.addVersion({
        secretId: secret.id,
        version,
        state: "retired",
        value: stored,
        fingerprint,
        createdBy: "tester",
      });
      asked += 1;
      if (asked === 1) throw Object.assign(new Error("deadlock"), { code: "40P01" });
    });
    expect({ asked, puts }).toEqual({ asked: 2, puts: [2] });
    expect(await stored()).toHaveLength(2);
  });

  it("several at once are put together: no run for each", async () => {
    await set("one");
    const secret = (await kit.context.store.read.secrets.find("production", "AUTH")) ?? expect.fail();
    const { context, puts } = watched();
    let runs = 0;
    await transactionWithValues(context, async (tx) => {
      runs += 1;
      const next = await tx.secrets.lockForNewVersion(secret.id);
      const wanted = [0, 1, 2].map((index) => ({
        secretId: secret.id,
        version: next + index,
        fields: new Map([["value", SecretValue.of(`older ${index}`)]]),
      }));
      tx.values.need(wanted);
    });
    expect({ runs, puts }).toEqual({ runs: 2, puts: [2, 3, 4] });
  });
});
