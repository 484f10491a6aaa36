/**
 * First adoption: which places agree, before anything is ours. Nothing wins by default; a person chooses a place, or
 * says that the value which most places hold wins. Pure; values are compared, never shown.
 */
import { LockstepError } from "../errors.ts";
import type { SameValue } from "../reconcile/plan-change.ts";
import type { Role } from "../secret.ts";
import type { SecretValue } from "../secret-value.ts";

export interface AdoptionPlace {
  readonly target: string;
  readonly environment: string;
  readonly key: string;
  readonly placement: string;
  readonly role: Role;
}

export interface FoundPlace<Place extends AdoptionPlace = AdoptionPlace> {
  readonly place: Place;
  /** Null: nothing stands there, or nothing that could be compared. */
  readonly value: SecretValue | null;
  /** Why there is no value, in words; null when nothing stands there. */
  readonly reason: string | null;
  /** What else is known of nothing that stands there. */
  readonly absence?: string;
}

export interface AdoptionGroup<Place extends AdoptionPlace = AdoptionPlace> {
  /** "A" holds the value that most places hold; order among equals is by name. */
  readonly label: string;
  readonly places: readonly Place[];
  readonly value: SecretValue;
}

export interface AdoptionView<Place extends AdoptionPlace = AdoptionPlace> {
  readonly groups: readonly AdoptionGroup<Place>[];
  readonly absent: readonly Place[];
  /** What else is known of some of `absent`. */
  readonly absences?: ReadonlyMap<Place, string>;
  readonly unknown: readonly { readonly place: Place; readonly reason: string }[];
}

export function groupPlaces<Place extends AdoptionPlace>(
  found: readonly FoundPlace<Place>[],
  same: SameValue,
): AdoptionView<Place> {
  const groups: { readonly value: SecretValue; readonly places: Place[] }[] = [];
  const absent: Place[] = [];
  const absences = new Map<Place, string>();
  const unknown: { readonly place: Place; readonly reason: string }[] = [];
  const sorted = [...found].sort((a, b) => nameOf(a.place).localeCompare(nameOf(b.place)));
  for (const { place, value, reason, absence } of sorted) {
    if (value !== null) {
      const group = groups.find((known) => same(known.value, value));
      if (group === undefined) groups.push({ value, places: [place] });
      else group.places.push(place);
    } else if (reason === null) {
      absent.push(place);
      if (absence !== undefined) absences.set(place, absence);
    } else unknown.push({ place, reason });
  }
  // Stable: equal sizes keep the order of names.
  groups.sort((a, b) => b.places.length - a.places.length);
  return {
    groups: groups.map((group, index) => ({ ...group, label: labelOf(index) })),
    absent,
    absences,
    unknown,
  };
}

export type Choice =
  /** Only if all places that hold something hold the same. */
  | { readonly by: "agreement" }
  | { readonly by: "majority" }
  | { readonly by: "target"; readonly target: string; readonly environment: string };

/** Throws NOT_ADOPTED when the choice does not decide, NOT_FOUND when there is nothing to choose. */
export function chooseGroup<Place extends AdoptionPlace>(
  secret: string,
  view: AdoptionView<Place>,
  choice: Choice,
): AdoptionGroup<Place> {
  if (choice.by === "target") return chooseTarget(secret, view, choice);
  const [first, second] = view.groups;
  if (first === undefined) {
    throw new LockstepError(
      "NOT_FOUND",
      `Cannot import ${secret}: no place that could be read holds a value.`,
      {
        hint: "Set it with `lockstep secret set` or `lockstep secret generate`.",
        details: { secret },
      },
    );
  }
  if (choice.by === "agreement") {
    if (second === undefined && view.unknown.length === 0) return first;
    throw notAdopted(secret, view);
  }
  // What could not be read might be more than what could.
  const others = (second?.places.length ?? 0) + view.unknown.length;
  if (first.places.length > others) return first;
  throw notAdopted(secret, view);
}

function chooseTarget<Place extends AdoptionPlace>(
  secret: string,
  view: AdoptionView<Place>,
  choice: { readonly target: string; readonly environment: string },
): AdoptionGroup<Place> {
  const isChosen = (place: Place): boolean =>
    place.target === choice.target && place.environment === choice.environment;
  const chosen = view.groups.filter((group) => group.places.some(isChosen));
  if (chosen.length > 1) {
    throw new LockstepError(
      "NOT_ADOPTED",
      `Cannot import ${secret} from ${choice.target}: it holds the secret twice, with different values.`,
      {
        hint: "Choose another place, or set the value with `lockstep secret set`.",
        details: { secret, target: choice.target },
      },
    );
  }
  if (chosen[0] !== undefined) return chosen[0];
  const reason = view.unknown.find(({ place }) => isChosen(place))?.reason;
  const empty = view.absent.find(isChosen);
  const absence = empty === undefined ? undefined : view.absences?.get(empty);
  const nothing = `it holds no value${absence === undefined ? "" : `: ${absence}`}`;
  const why = reason ?? (empty === undefined ? "it is not bound there" : nothing);
  throw new LockstepError("NOT_FOUND", `Cannot import ${secret} from ${choice.target}: ${why}.`, {
    hint: "See `lockstep plan` for the places that hold a value.",
    details: { secret, target: choice.target },
  });
}

/**
 * For `rotate` and `secret set` on a secret without a current version: a value that is in use somewhere is not
 * replaced by accident. Null: go on.
 */
export function refuseUnadopted(
  secret: string,
  view: AdoptionView,
  currentVersion: number | null,
): LockstepError | null {
  if (currentVersion !== null || view.groups.length === 0) return null;
  return notAdopted(secret, view);
}

function notAdopted(secret: string, view: AdoptionView): LockstepError {
  const groups = view.groups.map(({ label, places }) => `${label}: ${places.map(placeText).join(", ")}`);
  const unknown = view.unknown.map(
    ({ place, reason }) => `${placeText(place)} cannot be compared (${reason})`,
  );
  const found = [...groups, ...unknown].join("; ");
  return new LockstepError(
    "NOT_ADOPTED",
    `Cannot choose a value for ${secret}: places hold values already (${found}).`,
    {
      hint: `Choose with \`lockstep import ${secret} --from TARGET\` or --winner.`,
      details: { secret },
    },
  );
}

function placeText({ target, role }: AdoptionPlace): string {
  return `${target} (${role})`;
}

function nameOf({ environment, target, placement, key }: AdoptionPlace): string {
  return [environment, target, placement, key].join("/");
}

function labelOf(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : `${letter}${Math.floor(index / 26)}`;
}
