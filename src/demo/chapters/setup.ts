/** The services, as somebody set them up by hand; then Lockstep takes the value over that is in use. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Addresses, OpenPlace } from "../places/place.ts";
import { assertThat, everyPair, placesOf, SECRET, type Story, standings, watchCalls } from "../story.ts";

export async function setUp(story: Story, projectDirectory: string): Promise<void> {
  const { screen, product, calls, railway, host, mini } = story;
  const places = placesOf(story);
  const { server, reason } = host.ssh;
  screen.say(
    `Real services call each other several times a second and trust each other by ${SECRET}: ` +
      `${railway.service} on Railway (simulated here), ${host.service} on a host over SSH ` +
      `(${server === "openssh" ? "OpenSSH's own server" : `a stand-in server: ${reason}`}), ${mini.service} on a ` +
      "machine that cannot be reached from outside.",
  );
  const addresses: Addresses = Object.fromEntries(places.map(({ service, address }) => [service, address]));
  const secret = randomBytes(32).toString("base64url");
  const opening = { addresses, reportTo: calls.reportTo, secret };
  await Promise.all([...places.map((place) => place.open(opening)), product.up()]);
  const text = configText(places);
  writeFileSync(join(projectDirectory, "lockstep.yaml"), text);
  for (const { variables } of places) product.export(variables);
  screen.say();
  screen.say("lockstep.yaml says what belongs where, without values; and how to reach each target, below:");
  screen.output(text.slice(0, text.indexOf("targets:")));

  await product.must(["apply", "--yes"]);
  await enrol(story);
  await product.must(["import", SECRET, "--from", railway.service]);
  await watchCalls(story, everyPair, "that all calls are answered");
  const { current, bindings } = await standings(story);
  assertThat(current === 1 && bindings.length === places.length, "the value in use was not taken over");
}

/** What the machine's owner does there: enrols it once, says what is allowed, and leaves the agent running. */
async function enrol({ screen, product, mini }: Story): Promise<void> {
  screen.say();
  screen.say(
    `On the third machine an agent dials out. It enrols with a code that is good once, and does there what the ` +
      "machine's own policy allows:",
  );
  screen.output(mini.policy);
  await product.pipe(["agent", "invite", mini.service], ["agent", "enroll"], mini.surroundings);
  await product.start(["agent", "run"], /agent of target/, mini.surroundings);
}

/** All are `both`: each service checks the secret and sends it. The probe asks it whether it accepts a value. */
function configText(places: readonly OpenPlace[]): string {
  const bindings = places.map(
    ({ service, address }) => `      - target: ${service}
        role: both
        probe:
          http:
            url: ${address}/internal/ping
            headers: { X-Internal-Secret: "{{value}}" }
            accepted: [200]
            refused: [401, 403]
`,
  );
  return `environment: production
secrets:
  ${SECRET}:
    generate: { random: { bytes: 32, encoding: base64url } }
    rotate: { strategy: overlap, settleFor: 2s }
    bindings:
${bindings.join("")}targets:
${places
  .flatMap(({ target }) => target)
  .map((line) => `  ${line}\n`)
  .join("")}`;
}
