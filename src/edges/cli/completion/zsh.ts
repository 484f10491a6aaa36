/** The script for zsh, with descriptions. Works sourced (after compinit) and as a file `_lockstep` in $fpath. */
import { singleQuoted, valueFunctions } from "./cases.ts";
import type { CompletedCommand } from "./model.ts";

interface Described {
  readonly name: string;
  readonly description: string;
}

export function zshScript(commands: readonly CompletedCommand[]): string {
  const table = (words: (command: CompletedCommand) => readonly Described[]): readonly string[] =>
    commands
      .filter((command) => words(command).length > 0)
      .map(
        (command) =>
          `    ${singleQuoted(command.path.join(" "))}) print -rl -- ${words(command).map(describedWord).join(" ")} ;;`,
      );
  return `${[
    "#compdef lockstep",
    "# Completion of lockstep for zsh; made by `lockstep completion zsh`.",
    "_lockstep_commands() {",
    '  case "$1" in',
    ...table(({ commands: below }) => below),
    "  esac",
    "}",
    "",
    "_lockstep_options() {",
    '  case "$1" in',
    ...table(({ options }) =>
      options.flatMap(({ short, long, description }) =>
        [long, ...(short === null ? [] : [short])].map((name) => ({ name, description })),
      ),
    ),
    "  esac",
    "}",
    "",
    ...valueFunctions(commands),
    "",
    ...BODY.split("\n"),
  ].join("\n")}\n`;
}

/** `_describe` takes what stands before the first bare colon as the word. */
function describedWord({ name, description }: Described): string {
  return singleQuoted(`${name.replaceAll(":", "\\:")}:${description}`);
}

const BODY = `_lockstep() {
  local at='' expects='' what='' word
  local -a found
  integer i taken=0
  for (( i = 2; i < CURRENT; i++ )); do
    word=\${words[i]}
    if [[ -n $expects ]]; then expects=''; continue; fi
    if [[ $word == -* ]]; then
      if [[ $word != *=* ]]; then expects=$(_lockstep_value "$at" "$word"); fi
      continue
    fi
    found=("\${(@f)$(_lockstep_commands "$at")}")
    if (( \${found[(I)\${(b)word}:*]} )); then at=\${at:+$at }$word; else (( taken += 1 )); fi
  done
  if [[ -n $expects && \${words[CURRENT]} != -* ]]; then
    what=$expects
  elif [[ \${words[CURRENT]} == --*=* ]]; then
    what=$(_lockstep_value "$at" "\${words[CURRENT]%%=*}")
    compset -P '*='
  elif [[ \${words[CURRENT]} == -* ]]; then
    found=("\${(@f)$(_lockstep_options "$at")}")
    _describe -o option found
    return
  else
    found=("\${(@f)$(_lockstep_commands "$at")}")
    if [[ -n \${found[1]} ]]; then _describe command found; return; fi
    what=$(_lockstep_argument "$at" "$taken")
  fi
  case $what in
    words\\ *) found=(\${(s: :)\${what#words }}); compadd -a found ;;
    names\\ *) found=(\${(f)"$(command lockstep __complete "\${what#names }" 2>/dev/null)"}); compadd -a found ;;
    files) _files ;;
  esac
}

if [[ \${funcstack[1]} == _lockstep ]]; then _lockstep "$@"; else compdef _lockstep lockstep; fi`;
