/** Somebody changes the secret in one place by hand, and forgets the others. */
import { randomBytes } from "node:crypto";
import { SECRET, type Story, watchCalls } from "../story.ts";

export async function cause(story: Story): Promise<void> {
  const { screen, railway } = story;
  screen.say(
    `Somebody puts a new ${SECRET} into Railway's dashboard, which deploys ${railway.service} anew, and ` +
      "forgets the other places. Nothing says so; some calls simply fail.",
  );
  await railway.changeInDashboard(randomBytes(32).toString("base64url"));
  const isUntouched = (from: string, to: string): boolean => ![from, to].includes(railway.service);
  await watchCalls(story, isUntouched, `that calls from and to ${railway.service} are refused`);
}
