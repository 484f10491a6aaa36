/** The script for fish, with descriptions: one `complete` per word, under the condition that the cursor stands there. */
import type { CompletedCommand, CompletedOption, Values } from "./model.ts";

export function fishScript(commands: readonly CompletedCommand[]): string {
  const valued = new Set(
    commands
      .flatMap(({ options }) => options)
      .filter(({ value }) => value !== null)
      .flatMap(({ short, long }) => (short === null ? [long] : [short, long])),
  );
  return `${[
    "# Completion of lockstep for fish; made by `lockstep completion fish`.",
    "function __lockstep_names",
    "    command lockstep __complete $argv[1] 2>/dev/null",
    "end",
    "",
    "# Whether the words so far are this command, and (when told) so many arguments of it.",
    "function __lockstep_at",
    `    set -l commands ${commands.map(({ path }) => quoted(path.join(" "))).join(" ")}`,
    `    set -l valued ${[...valued].join(" ")}`,
    ...AT.split("\n"),
    "",
    "complete -c lockstep -f",
    ...commands.flatMap(commandLines),
  ].join("\n")}\n`;
}

const AT = `    set -l words (commandline -opc)
    set -l at ''
    set -l taken 0
    set -l skip no
    for word in $words[2..-1]
        if test $skip = yes
            set skip no
        else if string match -q -- '-*' $word
            contains -- $word $valued; and set skip yes
        else
            set -l longer (string trim -- "$at $word")
            if contains -- $longer $commands
                set at $longer
            else
                set taken (math $taken + 1)
            end
        end
    end
    test "$at" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; or test $taken = $argv[2]
end`;

function commandLines({ path, commands, options, values }: CompletedCommand): readonly string[] {
  const at = path.join(" ");
  const here = `-n ${quoted(`__lockstep_at ${quoted(at)}`)}`;
  return [
    ...commands.map(
      ({ name, description }) => `complete -c lockstep ${here} -a ${quoted(name)} -d ${quoted(description)}`,
    ),
    ...options.map((option) => `complete -c lockstep ${here} ${optionWords(option)}`),
    ...values.flatMap((value, index) => {
      const offered = offer(value);
      const condition = `-n ${quoted(`__lockstep_at ${quoted(at)} ${index}`)}`;
      return offered === "" ? [] : [`complete -c lockstep ${condition} ${offered}`];
    }),
  ];
}

function optionWords({ short, long, description, value }: CompletedOption): string {
  const words = [
    ...(short === null ? [] : [`-s ${short.slice(1)}`]),
    `-l ${long.replace(/^--/, "")}`,
    `-d ${quoted(description)}`,
  ];
  if (value === null) return words.join(" ");
  return [...words, value.kind === "files" ? "-r -F" : `-x ${offer(value)}`.trim()].join(" ");
}

function offer(value: Values): string {
  switch (value.kind) {
    case "words":
      return `-a ${quoted(value.words.join(" "))}`;
    case "names":
      return `-a ${quoted(`(__lockstep_names ${value.of})`)}`;
    case "files":
      return "-F";
    case "none":
      return "";
  }
}

/** In fish's single quotes only \\ and ' mean something. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
