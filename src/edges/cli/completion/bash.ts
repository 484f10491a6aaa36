/**
 * The script for bash, 3.2 (macOS) included: no associative arrays, no bash-completion needed.
 *
 * Attacker: whoever can name a secret. `compgen -W` expands its words, command substitutions too, so names are only
 * compared, never handed to it.
 */
import { singleQuoted, valueFunctions } from "./cases.ts";
import type { CompletedCommand } from "./model.ts";

export function bashScript(commands: readonly CompletedCommand[]): string {
  const table = (words: (command: CompletedCommand) => readonly string[]): readonly string[] =>
    commands
      .filter((command) => words(command).length > 0)
      .map(
        (command) =>
          `    ${singleQuoted(command.path.join(" "))}) echo ${singleQuoted(words(command).join(" "))} ;;`,
      );
  return `${[
    "# Completion of lockstep for bash; made by `lockstep completion bash`.",
    "_lockstep_commands() {",
    '  case "$1" in',
    ...table(({ commands: below }) => below.map(({ name }) => name)),
    "  esac",
    "}",
    "",
    "_lockstep_options() {",
    '  case "$1" in',
    ...table(({ options }) =>
      options.flatMap(({ short, long }) => (short === null ? [long] : [short, long])),
    ),
    "  esac",
    "}",
    "",
    ...valueFunctions(commands),
    "",
    ...BODY.split("\n"),
  ].join("\n")}\n`;
}

const BODY = `_lockstep_offer() {
  local word
  while IFS= read -r word; do
    if [[ -n $word && $word == "$1"* ]]; then COMPREPLY+=("$word"); fi
  done
}

_lockstep() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at='' expects='' what='' word below i taken=0
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == '=' ]]; then continue; fi
    if [[ -n $expects ]]; then expects=''; continue; fi
    if [[ $word == -* ]]; then
      expects=$(_lockstep_value "$at" "$word")
      continue
    fi
    below=" $(_lockstep_commands "$at") "
    if [[ $below == *" $word "* ]]; then at=\${at:+$at }$word; else taken=$((taken + 1)); fi
  done
  if [[ $cur == '=' ]]; then cur=''; fi
  if [[ -n $expects && $cur != -* ]]; then
    what=$expects
  elif [[ $cur == -* ]]; then
    what="words $(_lockstep_options "$at")"
  else
    below=$(_lockstep_commands "$at")
    if [[ -n $below ]]; then what="words $below"; else what=$(_lockstep_argument "$at" "$taken"); fi
  fi
  case $what in
    'words '*) _lockstep_offer "$cur" < <(tr ' ' '\\n' <<<"\${what#words }") ;;
    'names '*) _lockstep_offer "$cur" < <(command lockstep __complete "\${what#names }" 2>/dev/null) ;;
    files)
      _lockstep_offer "$cur" < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null
      ;;
  esac
}

complete -F _lockstep lockstep`;
