/**
 * Finds where a host holds copies of what is kept right on it, and which of them the unit's process gets.
 *
 * Looked into: the unit that restarts (fragment, drop-ins, environment files) or the job's plist, what editors leave
 * beside kept files, and the files that are named (`alsoCheck`, shells' profiles). Nothing else of the host is read.
 */
import { type EnvironmentSources, type OwnReader, overruling } from "../../../core/copies/precedence.ts";
import type {
  CopiesSeen,
  CopyFinder,
  CopyInterest,
  CopyKind,
  FoundCopy,
  KeptPlace,
  SharedFile,
} from "../../../core/ports/copies.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import type { Activation } from "../activation/config.ts";
import { systemdFormat } from "../formats/systemd.ts";
import type { PlacedFile } from "../placement.ts";
import { composeEnvironments, isComposeFile } from "./compose-environment.ts";
import { besideOf, jobFiles, labelOf, systemdUnitOf, variableOf } from "./known-places.ts";
import { type FilesRead, readFiles } from "./read-files.ts";
import { assignmentsIn, type Standing, standingsIn } from "./standings.ts";
import { unitEnvironment } from "./systemd-environment.ts";

export interface CopyPlaces {
  readonly files: readonly PlacedFile[];
  readonly activate: Activation | null;
  /** By whoever configured it. One that cannot be read is told. */
  readonly alsoCheck: readonly string[];
  /** Searched where they are there. */
  readonly profiles: readonly string[];
}

/** Absolute path → what stands there; the name is as it was asked for. */
type Texts = Map<string, Text>;

interface Text {
  readonly name: string;
  readonly text: string;
  readonly open: boolean;
  readonly group: string | null;
}

export function createCopyFinder(host: Pick<Host, "run">, places: CopyPlaces): CopyFinder {
  return {
    async find(interest, signal) {
      const kept = places.files.map(({ path }) => path);
      const unit = systemdUnitOf(places.activate);
      const paths = [
        ...new Set([...kept, ...besideOf(kept, places.activate), ...places.profiles, ...places.alsoCheck]),
      ];
      const first = await readFiles(host, unit, paths, signal);
      const absolute = (path: string) => (path.startsWith("~/") ? `${first.home}/${path.slice(2)}` : path);
      const texts: Texts = new Map(textsOf(first).map((text) => [absolute(text.name), text]));
      const unitFiles = first.unitFiles.flatMap((path) => {
        const text = texts.get(path)?.text;
        return text === undefined ? [] : [{ path, text }];
      });
      const environment = unitEnvironment(unitFiles, {
        unit: unit?.unit ?? "",
        home: first.home,
        isUser: unit?.isUser === true,
      });
      const further = environment.environmentFiles.filter((path) => !texts.has(path));
      if (further.length > 0) {
        const more = await readFiles(host, null, further, signal);
        for (const text of textsOf(more)) texts.set(text.name, text);
      }
      const unread = places.alsoCheck.flatMap((file) => {
        const reason = first.unread.get(file) ?? (first.texts.has(file) ? null : "it does not exist");
        return reason === null ? [] : [{ file, reason }];
      });
      const look = new Look(places, interest, texts, absolute);
      const copies = look.copies(environment);
      return { copies, unread, shared: look.shared(copies) } satisfies CopiesSeen;
    },
  };
}

function textsOf({ texts, open, groups }: FilesRead): readonly Text[] {
  return [...texts].map(([name, text]) => ({
    name,
    text,
    open: open.has(name),
    group: groups.get(name) ?? null,
  }));
}

const COMPUTED = /`|\$[\w{(]/;

type Unit = ReturnType<typeof unitEnvironment>;
type Kept = KeptPlace & { readonly absolute: string; readonly variable: string | null };

class Look {
  readonly #places: CopyPlaces;
  readonly #interest: CopyInterest;
  readonly #texts: Texts;
  readonly #kept: readonly Kept[];
  readonly #absolute: (path: string) => string;

  constructor(places: CopyPlaces, interest: CopyInterest, texts: Texts, absolute: (path: string) => string) {
    this.#places = places;
    this.#interest = interest;
    this.#texts = texts;
    this.#absolute = absolute;
    this.#kept = interest.places
      .filter(({ placement }) => placement !== "")
      .map((place) => ({ ...place, absolute: absolute(place.placement), variable: variableOf(place) }));
  }

  copies(unit: Unit): readonly FoundCopy[] {
    const found = [...this.#ofSources(this.#unitSources(unit), "unit")];
    const jobFile = this.#jobFile();
    if (jobFile !== null) found.push(...this.#ofSources(this.#plainSources(jobFile), "plist"));
    const told = new Set([...unit.assigned.map(({ file }) => file), ...unit.environmentFiles, jobFile]);
    for (const [absolute, { name, text }] of this.#texts) {
      const isCompose = isComposeFile(name);
      if (isCompose) found.push(...this.#ofCompose(absolute, text));
      // What stands under a name there is told already; a program's arguments, for example, are not.
      const isTold = isCompose || told.has(absolute);
      const standings = standingsIn(name, text).filter(({ key }) => key === null || !isTold);
      found.push(...this.#ofFile(absolute, standings));
    }
    return distinct(found);
  }

  /** A kept file whose configured mode lets its group read it is meant so. */
  shared(copies: readonly FoundCopy[]): readonly SharedFile[] {
    const kept = this.#kept.flatMap(({ placement }) => {
      const mode = this.#places.files.find(({ path }) => path === placement)?.mode ?? "0600";
      return (Number.parseInt(mode, 8) & 0o040) === 0 ? [placement] : [];
    });
    const files = new Set([...kept, ...copies.map(({ file }) => file)]);
    return [...this.#texts.values()].flatMap(({ name, group }) =>
      group !== null && files.has(name) ? [{ file: name, group }] : [],
    );
  }

  #unitSources({ assigned, environmentFiles, unset }: Unit): EnvironmentSources {
    return {
      assigned: [...assigned, ...environmentFiles.flatMap((file) => this.#environmentFile(file))],
      files: environmentFiles,
      unset,
    };
  }

  #environmentFile(absolute: string): EnvironmentSources["assigned"] {
    const text = this.#texts.get(absolute)?.text;
    if (text === undefined) return [];
    return assignmentsIn(text, systemdFormat).map((one) => ({ ...one, file: absolute }));
  }

  /** The job of the target's own label, where its plist is. */
  #jobFile(): string | null {
    const label = labelOf(this.#places.activate);
    const candidates = label === null ? [] : jobFiles(label).map(this.#absolute);
    return candidates.find((path) => this.#texts.has(path)) ?? null;
  }

  #plainSources(absolute: string): EnvironmentSources {
    const { name = "", text = "" } = this.#texts.get(absolute) ?? {};
    const assigned = standingsIn(name, text).flatMap(({ key, ...rest }) =>
      key === null ? [] : [{ ...rest, file: absolute, key }],
    );
    return { assigned, files: [absolute], unset: new Set() };
  }

  #ofCompose(absolute: string, text: string): readonly FoundCopy[] {
    return composeEnvironments(text, absolute).flatMap((sources) => {
      const read = sources.files.flatMap((file) => this.#environmentFile(file));
      // Only for a service that is given the kept file it is known what it overrules there.
      const isOurs = this.#kept.some((kept) => sources.files.includes(kept.absolute));
      const layered = { ...sources, assigned: [...read, ...sources.assigned] };
      const copies = this.#ofSources(layered, "compose", isOurs);
      // Of the files that it names, their own look tells.
      return copies.filter(({ file }) => this.#absolute(file) === absolute);
    });
  }

  /** What one environment is made of, and what of it overrules a kept place. */
  #ofSources(sources: EnvironmentSources, kind: CopyKind, mayWin = true): readonly FoundCopy[] {
    const found: FoundCopy[] = [];
    for (const kept of this.#kept) {
      const winner =
        kept.variable === null || !mayWin
          ? null
          : overruling(sources, { file: kept.absolute, key: kept.variable, reader: this.#readerOf(kept) });
      for (const one of sources.assigned) {
        if (one.key !== kept.variable || this.#isKept(one.file, one.key)) continue;
        const version = this.#versionOf(kept, one.value);
        const isRead = kind === "unit" && sources.files.includes(one.file);
        const at = this.#found(kept, one.file, one, isRead ? "environment-file" : kind);
        found.push({ ...at, version, wins: one === winner });
      }
    }
    const names = new Set(this.#kept.flatMap(({ variable }) => variable ?? []));
    for (const one of sources.assigned) {
      if (!names.has(one.key)) found.push(...this.#recognised(one.file, one, kind));
    }
    return found;
  }

  #ofFile(absolute: string, standings: readonly Standing[]): readonly FoundCopy[] {
    return standings.flatMap((standing) => {
      const named = this.#kept.filter(({ variable }) => variable !== null && variable === standing.key);
      if (named.length === 0) return this.#recognised(absolute, standing, "file");
      if (this.#isKept(absolute, standing.key)) return [];
      return named.flatMap((kept) => {
        const version = this.#versionOf(kept, standing.value);
        // What a shell computes may be anything, the kept value too.
        if (version === null && COMPUTED.test(standing.value.reveal())) return [];
        return [{ ...this.#found(kept, absolute, standing, "file"), version, wins: false }];
      });
    });
  }

  /** Under another name, or none. */
  #recognised(
    absolute: string,
    standing: Pick<Standing, "key" | "value" | "line" | "alone">,
    kind: CopyKind,
  ): readonly FoundCopy[] {
    const known = this.#interest.recognise(standing.value);
    const kept = this.#kept.find(
      ({ bindingId, slot }) => bindingId === known?.place.bindingId && slot === known.place.slot,
    );
    if (known === null || kept === undefined) return [];
    // A word of a kept file is most often the kept value itself.
    const isKeptFile = this.#kept.some((one) => one.absolute === absolute);
    if (this.#isKept(absolute, standing.key) || (isKeptFile && standing.key === null)) return [];
    return [{ ...this.#found(kept, absolute, standing, kind), version: known.version, wins: false }];
  }

  #versionOf(kept: Kept, value: SecretValue): number | null {
    const known = this.#interest.recognise(value);
    return known?.place.bindingId === kept.bindingId ? known.version : null;
  }

  #found(
    { bindingId, slot }: Kept,
    absolute: string,
    { key, line, alone }: Pick<Standing, "key" | "line" | "alone">,
    kind: CopyKind,
  ): Omit<FoundCopy, "version" | "wins"> {
    const { name = absolute, open: isReadable = false } = this.#texts.get(absolute) ?? {};
    // `systemctl show` tells everybody what a unit's own lines set.
    const open = isReadable || kind === "unit";
    return { bindingId, slot, file: name, line, key, kind, open, alone };
  }

  /** Kept right by another binding, it is no copy. */
  #isKept(absolute: string, key: string | null): boolean {
    return this.#kept.some(
      (kept) => kept.absolute === absolute && (key === kept.key || key === kept.variable),
    );
  }

  /** Programs that read `.env` files leave a variable that is set; what a shell sources sets it anew. */
  #readerOf(kept: Kept): OwnReader {
    const format = this.#places.files.find(({ path }) => path === kept.placement)?.format;
    return format === "dotenv" || format === "systemd" ? "environment-wins" : "file-wins";
  }
}

function distinct(copies: readonly FoundCopy[]): readonly FoundCopy[] {
  const byPlace = new Map<string, FoundCopy>();
  for (const copy of copies) {
    const at = [copy.bindingId, copy.slot, copy.file, copy.line, copy.key].join("\u0000");
    if (byPlace.get(at)?.wins !== true) byPlace.set(at, copy);
  }
  const all = [...byPlace.values()];
  const isNamed = ({ bindingId, file, version }: FoundCopy) =>
    all.some(
      (one) =>
        one.key !== null && one.file === file && one.version === version && one.bindingId === bindingId,
    );
  return all.filter((copy) => copy.key !== null || !isNamed(copy));
}
