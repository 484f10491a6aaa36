/** Alerts on real wires: HTTP servers that verify what they get, and a real SMTP server. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { createChannels } from "../../src/adapters/channels/channels.ts";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { AlertMessage } from "../../src/core/ports/channel.ts";
import { alertsSchema } from "../../src/protocol/alerts.ts";

const TLS = JSON.parse(readFileSync(new URL("../vectors/localhost-tls.json", import.meta.url), "utf8")) as {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};
const EXPIRED = JSON.parse(
  readFileSync(new URL("../vectors/expired-tls.json", import.meta.url), "utf8"),
) as typeof TLS;
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const PASSWORD = "canary-smtp-password";
const OPENED = new Date("2030-01-31T03:00:00Z");
const MESSAGE: AlertMessage = {
  id: "0b8f6a52-6f0a-4a5e-9d0e-1f6f7b2f4a11",
  event: "opened",
  kind: "hand-edit",
  level: "wrong",
  message: "AUTH at <vps> & co was changed by hand.",
  remedy: "lockstep heal --target vps-1",
  openedAt: OPENED,
  at: OPENED,
};
const channels = createChannels(createDial({ ownListeners: () => [] }));
const within = () => AbortSignal.timeout(20_000);

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Heard {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function receiver(
  status = 200,
  headers: Record<string, string> = {},
  says = status === 200 ? "ok" : "canary-what-it-says",
) {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    heard.push({ headers: request.headers, body });
    response.writeHead(status, headers).end(says);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(async () => {
    server.close().closeAllConnections();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/canary-path`, heard };
}

describe("Slack", () => {
  it("gets a message that says what, since when and what to do, in which no name becomes a mention", async () => {
    const { url, heard } = await receiver();
    await channels.slack.send({ url }, MESSAGE, within());
    const { text, blocks } = JSON.parse(heard[0]?.body ?? "") as {
      text: string;
      blocks: { text: { text: string } }[];
    };
    expect(text).toContain("Wrong (hand-edit, wrong)");
    const shown = blocks.map((block) => block.text.text).join("\n");
    expect(shown).toContain("AUTH at &lt;vps&gt; &amp; co was changed by hand.");
    expect(shown).toContain("Do: lockstep heal --target vps-1");
    expect(shown).toContain("Since 2030-01-31 03:00 UTC.");
    expect(heard[0]?.headers["content-type"]).toBe("application/json");
  });

  it("is told that it is over, and for how long it was so", async () => {
    const { url, heard } = await receiver();
    const at = new Date(OPENED.getTime() + 7_200_000);
    await channels.slack.send({ url }, { ...MESSAGE, event: "resolved", at }, within());
    expect(heard[0]?.body).toMatch(/Right again/);
    expect(heard[0]?.body).toMatch(/for 2 h/);
    expect(heard[0]?.body).not.toContain("Do:");
  });
});

describe("several at once", () => {
  const many = Array.from(
    { length: 14 },
    (_, index): AlertMessage => ({
      ...MESSAGE,
      message: `AUTH at <place-${index}> was changed by hand.`,
      event: index === 0 ? "resolved" : "opened",
    }),
  );

  it("are counted, what is wrong first, each with what repairs it, and how many more", async () => {
    const { url, heard } = await receiver();
    await channels.slack.sendTogether?.({ url }, many, within());
    const { text, blocks } = JSON.parse(heard[0]?.body ?? "") as {
      text: string;
      blocks: { text: { text: string } }[];
    };
    expect(heard).toHaveLength(1);
    expect(text).toBe("Lockstep: 13 wrong, 1 right again");
    const [title, lines] = blocks.map((block) => block.text.text);
    expect(title).toBe("*Lockstep: 13 wrong, 1 right again*");
    const shown = lines?.split("\n") ?? [];
    expect(shown[0]).toBe(
      "• Wrong: AUTH at &lt;place-1&gt; was changed by hand. Do: lockstep heal --target vps-1",
    );
    expect(shown.slice(-2)).toEqual(["… and 4 more.", "All of it: lockstep doctor"]);
    expect(shown).toHaveLength(12);
    expect(lines).not.toContain("Right again");
  });

  it("are cut where Slack would refuse them, never in the middle of what to do", async () => {
    const { url, heard } = await receiver();
    const long = many.map((message) => ({ ...message, message: "x".repeat(2_000) }));
    await channels.slack.sendTogether?.({ url }, long, within());
    const { blocks } = JSON.parse(heard[0]?.body ?? "") as { blocks: { text: { text: string } }[] };
    const text = blocks[1]?.text.text ?? "";
    expect(text.length).toBeLessThan(3_000);
    expect(text).toMatch(/All of it: lockstep doctor$/);
  });
});

describe("a webhook", () => {
  it("is signed so that the standard's own library takes it, and takes nothing that was changed", async () => {
    const { url, heard } = await receiver();
    await channels.webhook.send({ url, secret: SECRET }, MESSAGE, within());
    const { headers, body } = heard[0] ?? { headers: {}, body: "" };
    const verifier = new Webhook(SECRET);
    const signed = headers as Record<string, string>;
    expect(verifier.verify(body, signed)).toMatchObject({
      type: "alert.opened",
      data: { kind: "hand-edit", message: MESSAGE.message, openedAt: OPENED.toISOString() },
    });
    expect(headers["webhook-id"]).toBe(MESSAGE.id);
    expect(() => verifier.verify(body.replace("AUTH", "OTHER"), signed)).toThrow();
    expect(() => verifier.verify(body, { ...signed, "webhook-id": "another" })).toThrow();
    const other = new Webhook(`whsec_${Buffer.from("another secret of 24 byt").toString("base64")}`);
    expect(() => other.verify(body, signed)).toThrow();
  });
});

describe("what does not arrive", () => {
  it.each([
    [400, "CHANNEL_REFUSED"],
    [401, "CHANNEL_REFUSED"],
    [404, "CHANNEL_REFUSED"],
    [302, "CHANNEL_REFUSED"],
    [408, "CHANNEL_UNAVAILABLE"],
    [429, "CHANNEL_UNAVAILABLE"],
    [500, "CHANNEL_UNAVAILABLE"],
    [503, "CHANNEL_UNAVAILABLE"],
  ])("answered with %i is %s, without the address's path and what was said", async (status, code) => {
    const { url } = await receiver(status);
    for (const sent of [
      channels.slack.send({ url }, MESSAGE, within()),
      channels.webhook.send({ url, secret: SECRET }, MESSAGE, within()),
    ]) {
      const error: Error = await sent.then(
        () => expect.fail("arrived"),
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code });
      expect(error.message).not.toContain("canary");
    }
  });

  it("a place that says when to come again is heard", async () => {
    const { url } = await receiver(429, { "Retry-After": "7" });
    await expect(channels.slack.send({ url }, MESSAGE, within())).rejects.toMatchObject({
      retryAfterMs: 7_000,
    });
  });

  it.each([
    [
      "a date",
      { "Retry-After": "Thu, 31 Jan 2030 03:02:00 GMT", Date: "Thu, 31 Jan 2030 03:00:00 GMT" },
      120_000,
    ],
    ["a long time", { "Retry-After": "99999999" }, 6 * 3_600_000],
    ["a past date", { "Retry-After": "Thu, 31 Jan 2019 03:02:00 GMT" }, undefined],
    ["nonsense", { "Retry-After": "soon" }, undefined],
    ["zero", { "Retry-After": "0" }, undefined],
  ])("a place that says when to come again is heard: %s", async (_name, headers, retryAfterMs) => {
    const { url } = await receiver(503, headers);
    await expect(channels.webhook.send({ url, secret: SECRET }, MESSAGE, within())).rejects.toMatchObject({
      retryAfterMs,
    });
  });

  async function failureOf(sent: Promise<void>): Promise<LockstepError> {
    return await sent.then(
      () => expect.fail("arrived"),
      (thrown: LockstepError) => thrown,
    );
  }

  it.each([
    ["another host's", "https://login.example.com/canary?next=x", "to https://login.example.com, "],
    ["its own", "/canary-login", "to another path of its own"],
    ["none", "", "elsewhere"],
    ["a broken one", "https://[canary", "elsewhere"],
  ])("is told where a redirection leads, without its path: %s", async (_name, location, where) => {
    const { url } = await receiver(302, location === "" ? {} : { Location: location });
    const error = await failureOf(channels.webhook.send({ url, secret: SECRET }, MESSAGE, within()));
    expect(error.code).toBe("CHANNEL_REFUSED");
    expect(error.message).toContain(where);
    expect(error.message).not.toContain("canary");
  });

  it.each([404, 410])("answered with %i is gone: how to replace it is said", async (status) => {
    const { url } = await receiver(status);
    const slack = await failureOf(channels.slack.send({ url }, MESSAGE, within()));
    expect(slack).toMatchObject({ code: "CHANNEL_REFUSED", details: { gone: true } });
    expect(slack.message).toContain("Make a new webhook in Slack");
    const webhook = await failureOf(channels.webhook.send({ url, secret: SECRET }, MESSAGE, within()));
    expect(webhook).toMatchObject({ code: "CHANNEL_REFUSED", details: { gone: true } });
    expect(webhook.message).toContain("its new `url`");
  });

  it.each([
    ["a login's page", "<!doctype html><title>canary</title>", "CHANNEL_UNAVAILABLE", "page of a login"],
    ["nothing", "", "CHANNEL_UNAVAILABLE", "not Slack's `ok`"],
    ["ok within other words", "not ok", "CHANNEL_UNAVAILABLE", "not Slack's `ok`"],
    ["invalid_token", "invalid_token", "CHANNEL_REFUSED", "Slack says invalid_token"],
    ["no_service", "no_service\n", "CHANNEL_REFUSED", "Slack says no_service"],
  ])("a good status with %s is not Slack's word that it arrived", async (_name, says, code, why) => {
    const { url } = await receiver(200, {}, says);
    const error = await failureOf(channels.slack.send({ url }, MESSAGE, within()));
    expect(error.code).toBe(code);
    expect(error.message).toContain(why);
    expect(error.message).not.toContain("canary");
    expect(
      (await failureOf(channels.slack.sendTogether?.({ url }, [MESSAGE], within()) as Promise<void>)).code,
    ).toBe(code);
  });

  it.each([
    [200, "ok\n"],
    [200, '{"ok":true}'],
    [200, '{"success":true}'],
  ])("%i with %s is: it arrived in Slack, or what speaks its format", async (status, says) => {
    const { url } = await receiver(status, {}, says);
    await channels.slack.send({ url }, MESSAGE, within());
  });

  it.each([200, 201, 202, 204, 299])("%i is a webhook's word that it arrived", async (status) => {
    const { url } = await receiver(status, {}, status === 204 ? "" : "anything");
    await channels.webhook.send({ url, secret: SECRET }, MESSAGE, within());
  });

  it("where nobody listens", async () => {
    await expect(
      channels.slack.send({ url: "http://127.0.0.1:9/canary" }, MESSAGE, within()),
    ).rejects.toMatchObject({ code: "CHANNEL_UNAVAILABLE" });
  });
});

const EXPIRED_SERVER: SMTPServerOptions = { key: EXPIRED.privateKeyPem, cert: EXPIRED.certificatePem };

describe("an e-mail", () => {
  async function mailServer(options: SMTPServerOptions = {}) {
    const mails: { readonly text: string; readonly secure: boolean; readonly to: readonly string[] }[] = [];
    const server = new SMTPServer({
      key: TLS.privateKeyPem,
      cert: TLS.certificatePem,
      authOptional: true,
      onAuth: ({ username, password }, _session, done) =>
        username === "ops" && password === PASSWORD ? done(null, { user: "ops" }) : done(new Error("no")),
      onData(stream, session, done) {
        let text = "";
        stream.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        stream.on("end", () => {
          const to = session.envelope.rcptTo.map(({ address }) => address);
          mails.push({ text, secure: session.secure, to });
          done();
        });
      },
      ...options,
    });
    server.on("error", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const { port } = server.server.address() as AddressInfo;
    const config = (more: JsonObject = {}): JsonObject => ({
      host: "localhost",
      port,
      tls: "starttls",
      from: "lockstep@example.com",
      to: ["a@example.com", "b@example.com"],
      caCertificate: TLS.certificatePem,
      ...more,
    });
    return { mails, config };
  }

  it("arrives encrypted, at everybody, with what to do", async () => {
    const { mails, config } = await mailServer();
    await channels.email.send(config({ user: "ops", password: PASSWORD }), MESSAGE, within());
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ secure: true, to: ["a@example.com", "b@example.com"] });
    expect(mails[0]?.text).toContain("Subject: Lockstep: Wrong (hand-edit, wrong)");
    expect(mails[0]?.text).toContain("Do: lockstep heal --target vps-1");
    expect(mails[0]?.text).toContain(`Message-ID: <${MESSAGE.id}@lockstep>`);
  });

  it("tells of several in one", async () => {
    const { mails, config } = await mailServer();
    const messages = [MESSAGE, { ...MESSAGE, message: "AUTH at mini was deleted." }];
    await channels.email.sendTogether?.(config(), messages, within());
    expect(mails).toHaveLength(1);
    expect(mails[0]?.text).toContain("Subject: Lockstep: 2 wrong");
    expect(mails[0]?.text).toContain("AUTH at mini was deleted.");
  });

  it("insists on encryption, and on a certificate that is trusted", async () => {
    const plain = await mailServer({ hideSTARTTLS: true, disabledCommands: ["STARTTLS"] });
    await expect(channels.email.send(plain.config(), MESSAGE, within())).rejects.toMatchObject({
      code: expect.stringMatching(/^CHANNEL_/) as unknown,
    });
    const unknown = await mailServer();
    const { caCertificate: _, ...config } = unknown.config();
    await expect(channels.email.send(config, MESSAGE, within())).rejects.toMatchObject({
      code: "CHANNEL_UNAVAILABLE",
    });
    expect([...plain.mails, ...unknown.mails]).toEqual([]);
  });

  it("with a wrong password is refused, in our words alone", async () => {
    const { config } = await mailServer();
    const sent = channels.email.send(config({ user: "ops", password: "canary-wrong" }), MESSAGE, within());
    const error: Error = await sent.then(
      () => expect.fail("arrived"),
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: "CHANNEL_REFUSED" });
    expect(error.message).not.toContain("canary");
  });

  async function failureOf(sent: Promise<void>): Promise<LockstepError> {
    return await sent.then(
      () => expect.fail("arrived"),
      (thrown: LockstepError) => thrown,
    );
  }

  /** Everybody is taken but these; the texts of a server are never repeated. */
  const refusing = (codes: Readonly<Record<string, number>>): SMTPServerOptions => ({
    onRcptTo: ({ address }, _session, done) => {
      const responseCode = codes[address];
      done(responseCode === undefined ? null : Object.assign(new Error("canary"), { responseCode }));
    },
  });

  it("that one of several does not get is told, and only that one gets it again", async () => {
    const codes: Record<string, number> = { "b@example.com": 550 };
    const { mails, config } = await mailServer(refusing(codes));
    const error = await failureOf(channels.email.send(config(), MESSAGE, within()));
    expect(error).toMatchObject({ code: "CHANNEL_REFUSED", details: { reached: ["a@example.com"] } });
    expect(error.message).toContain("for a@example.com, not for b@example.com (550");
    expect(error.message).not.toContain("canary");
    delete codes["b@example.com"];
    await channels.email.send(config(), MESSAGE, within(), ["a@example.com"]);
    expect(mails.map(({ to }) => to)).toEqual([["a@example.com"], ["b@example.com"]]);
    // Everybody who is configured has it: nothing is sent.
    await channels.email.send(config(), MESSAGE, within(), ["a@example.com", "b@example.com"]);
    expect(mails).toHaveLength(2);
  });

  it("that some are to get later is tried again, also where others are refused for good", async () => {
    const { config } = await mailServer(refusing({ "b@example.com": 451, "c@example.com": 550 }));
    const to = ["a@example.com", "b@example.com", "c@example.com"];
    const error = await failureOf(
      channels.email.sendTogether?.(config({ to }), [MESSAGE], within()) as Promise<void>,
    );
    expect(error).toMatchObject({ code: "CHANNEL_UNAVAILABLE", details: { reached: ["a@example.com"] } });
    expect(error.message).toContain("greylisting");
    const none = await mailServer(refusing({ "a@example.com": 451, "b@example.com": 451 }));
    expect(await failureOf(channels.email.send(none.config(), MESSAGE, within()))).toMatchObject({
      code: "CHANNEL_UNAVAILABLE",
      details: { reached: [] },
    });
  });

  const failing = (responseCode: number, message = "canary") =>
    Object.assign(new Error(message), { responseCode });
  const login = { user: "ops", password: PASSWORD };

  it.each([
    [
      "421",
      { onMailFrom: (_a, _s, done) => done(failing(421)) },
      {},
      "CHANNEL_UNAVAILABLE",
      "serves nobody now",
    ],
    [
      "552",
      {
        onData: (stream, _session, done) => {
          stream.resume().on("end", () => done(failing(552)));
        },
      },
      {},
      "CHANNEL_REFUSED",
      "too large there, or the mailbox is full",
    ],
    [
      "552 5.2.2",
      {
        onData: (stream, _session, done) => {
          stream.resume().on("end", () => done(failing(552, "5.2.2 canary")));
        },
      },
      {},
      "CHANNEL_REFUSED",
      "(552 5.2.2|answered 552 5.2.2): the mailbox is full",
    ],
    ["530", { authOptional: false }, {}, "CHANNEL_REFUSED", "give the channel `user` and `password`"],
    [
      "535",
      { onAuth: (_a, _s, done) => done(failing(535)) },
      login,
      "CHANNEL_REFUSED",
      "does not accept the user",
    ],
    [
      "454",
      { onAuth: (_a, _s, done) => done(failing(454)) },
      login,
      "CHANNEL_UNAVAILABLE",
      "check the login now",
    ],
    [
      "no STARTTLS",
      { hideSTARTTLS: true, disabledCommands: ["STARTTLS"] },
      {},
      "CHANNEL_REFUSED",
      "offers no STARTTLS .*`tls: implicit`",
    ],
    ["TLS too early", {}, { tls: "implicit" }, "CHANNEL_UNAVAILABLE", "`tls: starttls`"],
    [
      "a certificate that is over",
      EXPIRED_SERVER,
      { caCertificate: EXPIRED.certificatePem },
      "CHANNEL_UNAVAILABLE",
      "has expired.*Renew",
    ],
    [
      "a certificate that vouches for itself",
      {},
      { caCertificate: EXPIRED.certificatePem },
      "CHANNEL_UNAVAILABLE",
      "not trusted.*`caCertificate`",
    ],
  ] as readonly [string, SMTPServerOptions, JsonObject, string, string][])(
    "that fails by %s says why, and which setting",
    async (_name, options, more, code, why) => {
      const { mails, config } = await mailServer(options);
      const error = await failureOf(channels.email.send(config(more), MESSAGE, within()));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(new RegExp(why));
      expect(error.message).not.toContain("canary");
      expect(mails).toEqual([]);
    },
  );

  it("to a server whose certificate has another name says so", async () => {
    const { config } = await mailServer();
    const here = createChannels((_host, port, signal) =>
      createDial({ ownListeners: () => [] })("127.0.0.1", port, signal),
    );
    const error = await failureOf(here.email.send(config({ host: "smtp.example.com" }), MESSAGE, within()));
    expect(error.message).toMatch(/for another name.*`host`/);
  });

  it("that the server does not take is refused", async () => {
    const { config } = await mailServer({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error("canary"), { responseCode: 550 })),
    });
    const sent = channels.email.send(config(), MESSAGE, within());
    const error: Error = await sent.then(
      () => expect.fail("arrived"),
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: "CHANNEL_REFUSED" });
    expect(error.message).not.toContain("canary");
  });
});

describe("the configuration of channels", () => {
  const isGood = (channel: object) => alertsSchema.safeParse({ ops: channel }).success;
  const email = { host: "smtp.example.com", from: "a@example.com", to: ["b@example.com"] };

  it.each([
    [{ slack: { url: "https://hooks.slack.com/services/T/B/x" } }],
    [{ webhook: { url: "https://example.com/hook", secret: SECRET } }],
    [{ email }],
    [{ email: { ...email, host: "localhost", tls: "none" } }],
    [{ email: { ...email, user: "u", password: "p" } }],
  ])("takes %j", (channel) => {
    expect(isGood(channel)).toBe(true);
  });

  it.each([
    [{}],
    [{ slack: { url: "http://hooks.slack.com/services/T/B/x" } }],
    [{ slack: { url: "https://a.example/x" }, email }],
    [{ webhook: { url: "https://example.com/hook" } }],
    [{ webhook: { url: "https://example.com/hook", secret: "whsec_c2hvcnQ=" } }],
    [{ email: { ...email, tls: "none" } }],
    [{ email: { ...email, user: "u" } }],
    [{ email: { ...email, from: "a@example.com\r\nBcc: x@example.com" } }],
    [{ email: { ...email, to: [] } }],
    [{ email: { ...email, to: ["a@example.com, b@example.com"] } }],
    [{ pager: {} }],
  ])("refuses %j", (channel) => {
    expect(isGood(channel)).toBe(false);
  });
});

describe("what a host or an agent says", () => {
  const evil: AlertMessage = {
    ...MESSAGE,
    message:
      "unit <!channel> <https://evil.example/login|sign in> *bold* `code` _it_ https://evil.example/x \u001b[31m\u009b31m\u202egnp.exe\u200b\ufeff\r\nBcc: a@evil.example\n\n<img src=//evil.example>",
    remedy: "lockstep \u2066heal\u2069 http://evil.example",
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not arrive
  const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

  it("rulings 18 and 30: is no mark-up, mention or link in Slack, and hides nothing", async () => {
    const { url, heard } = await receiver();
    await channels.slack.send({ url }, evil, within());
    await channels.slack.sendTogether?.(
      { url },
      Array.from({ length: 5 }, () => evil),
      within(),
    );
    expect(heard).toHaveLength(2);
    for (const { body } of heard) {
      const said = JSON.parse(body) as {
        text: string;
        mrkdwn: boolean;
        blocks: { text: { type: string; text: string } }[];
      };
      expect(said.mrkdwn).toBe(false);
      const [title, lines] = said.blocks;
      expect(title?.text.text).toMatch(/^\*Lockstep: [\w ,()-]+\*$/);
      expect(lines?.text).toMatchObject({ type: "plain_text", emoji: false });
      for (const text of [said.text, ...said.blocks.map((block) => block.text.text)]) {
        expect(text).not.toMatch(/[<>]|:\/\//);
        expect(text).not.toMatch(HIDDEN);
      }
      expect(lines?.text.text).toContain("\\u{202e}");
    }
  });

  it("rulings 18 and 30: is visible to a program that takes webhooks, and ends", async () => {
    const { url, heard } = await receiver();
    const long = { ...evil, message: evil.message.repeat(1_000), remedy: evil.remedy.repeat(1_000) };
    await channels.webhook.send({ url, secret: SECRET }, long, within());
    const { data } = JSON.parse(heard[0]?.body ?? "") as { data: { message: string; remedy: string } };
    expect(data.message).not.toMatch(HIDDEN);
    expect(data.remedy).not.toMatch(HIDDEN);
    expect([data.message.length, data.remedy.length]).toEqual([2_000, 1_000]);
  });
});
