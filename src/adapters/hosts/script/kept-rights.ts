/** What a new file takes over from the one that it replaces: pieces of the script and of the helper. */

export const TAKE_OVER_RIGHTS = `
# Owner is ours already; group, mode and ACL are taken over from the file that is replaced.
take_over_rights() {
  if [ "$present" = no ]; then chmod "$mode" "$temp" || say failed mode; return; fi;
  chgrp "$group" "$temp" 2>/dev/null || say failed group "$group";
  # The directory may give every new file an ACL, which the old one has not.
  case $perm in *+) ;; *) case $(ls -dn "$temp") in ??????????+*) setfacl -b "$temp" 2>/dev/null || say lacks acl "$path";; esac;; esac;
  bits=\${perm#?}; others=\${bits#??????}; others=\${others%\${others#???}};
  mine=\${bits%\${bits#???}}; groups=\${bits#???}; groups=\${groups%\${groups#???}};
  chmod "$(printf "u=%s,g=%s,o=%s" "$mine" "$groups" "$others" | tr -d -)" "$temp" || say failed mode;
  case $perm in
    *+) command -v getfacl >/dev/null 2>&1 || say lacks acl "$path"; getfacl -p "./$name" 2>/dev/null | setfacl --set-file=- "$temp" 2>/dev/null || say failed acl;;
    *.) chcon --reference="./$name" "$temp" 2>/dev/null || :;;
  esac;
};
`;

/** Whether a file has an ACL or a label, which the helper leaves to the script. */
export const HELPER_HAS_MORE_RIGHTS = String.raw`
sub has_more_rights {
  my ($where, @attributes) = @_;
  for my $attribute (@attributes) {
    my ($at, $of, $into) = ($where, $attribute, "\0" x 4096);
    return 1 if syscall($getxattr, $at, $of, $into, 4096) != -1 || !($!{ENODATA} || $!{EOPNOTSUPP});
  }
  return 0;
}
`;
