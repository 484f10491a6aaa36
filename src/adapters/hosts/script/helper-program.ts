/**
 * The same rules as `script.ts`, for hosts with Perl: one process per connection that answers any number of requests,
 * because a shell needs about thirty processes for one write (70 ms of processor time measured, against 1 ms). It
 * shares lock, marker, copies and every check with the script, file by file, so both may work on one host at once.
 * Whatever it cannot do as well (ACLs, security labels, restoring) it leaves to the script by the answer `other`.
 *
 * Constant, and sent over stdin like the script: HELPER_SCRIPT as the first line for BOOTSTRAP; a nonce; the program's
 * length in bytes, on a line; the program; the nonce again. Then requests: one line of fields, tabs between them, in the
 * order of HELPER_FIELDS; then as many bytes as its last field says.
 * stdout: `lockstep <nonce> ready`, or `lockstep <nonce> lacks` when it cannot serve; then for each request
 * `lockstep <nonce> <bytes> <word> <rest>` and that many bytes. It ends with its stdin.
 *
 * flock(1) must be there as well: where the script would lock by a directory, the two would not exclude each other.
 */
import { HELPER_HAS_MORE_RIGHTS } from "./kept-rights.ts";
import { MAX_FILE_BYTES } from "./script.ts";
import { HELPER_FIND_SHARED } from "./shared-file.ts";

export const HELPER_PROGRAM = String.raw`
use strict;
my $hello = <STDIN>; chomp $hello;
$| = 1; binmode STDIN; binmode STDOUT; umask 077;

# Extended attributes tell of ACLs and labels; their call has no name in Perl. Tried once where there are none.
my $getxattr = eval {
  require Config; require Fcntl; require IO::Handle; require Cwd; require Digest::SHA;
  my $arch = $Config::Config{archname};
  my $number = $^O ne "linux" || length(pack("p", "")) != 8 ? 0 : $arch =~ /^x86_64-linux/ && $arch !~ /x32/ ? 192 : $arch =~ /^(aarch64|riscv64)-linux/ ? 9 : 0;
  my ($at, $of, $into) = ("/", "user.lockstep-none", "\0" x 64);
  $number && syscall($number, $at, $of, $into, 64) == -1 && ($!{ENODATA} || $!{EOPNOTSUPP}) ? $number : 0;
};
if (!$getxattr) { print "lockstep $hello lacks\n"; exit 0; }
print "lockstep $hello ready\n";

my $me = $>; my $home = $ENV{HOME}; $home = "/" if !defined $home || $home eq ""; my $state = "$home/.lockstep";
my $temp = ""; my $incoming = ""; my $swept = 0;
my ($nonce, $verb, $path, $expected, $digest, $mode, $store, $epoch, $generation, $mark, $keep, $how, $size);
my ($asked, $file, $dir, $name, $real, $present, $perm, $bits, $group, $marker, $lock, $shared);

sub clean {
  if ($temp ne "") { unlink "./$temp"; $temp = ""; }
  if ($incoming ne "") { unlink $incoming; $incoming = ""; }
}
$SIG{$_} = sub { clean(); exit 1 } for qw(HUP INT TERM PIPE);
# A limit on sizes is a full disk like another.
$SIG{XFSZ} = "IGNORE";

# One answer a request; die carries it out of any depth.
sub say_ { die ["@_"] }
# Why writing at a place failed, by what the system said last; in no other words, the rest.
sub spoilt {
  my ($at, @otherwise) = @_;
  say_("full", $at) if $!{ENOSPC} || $!{EDQUOT};
  say_("read-only", $at) if $!{EROFS};
  say_("fixed", $at) if $!{EPERM};
  say_("shared", "mount", $path) if $!{EBUSY};
  say_(@otherwise);
}
sub answer { my ($body, $words) = @_; $words =~ tr/\n//d; print "lockstep $nonce ", length($body), " $words\n", $body; }

sub text_of {
  my $m = shift;
  my $kind = ($m & 0170000) == 0100000 ? "-" : ($m & 0170000) == 0040000 ? "d" : ($m & 0170000) == 0120000 ? "l" : "?";
  my $text = join "", map { $m & (0400 >> $_) ? substr("rwxrwxrwx", $_, 1) : "-" } 0 .. 8;
  substr($text, 2, 1) = $m & 0100 ? "s" : "S" if $m & 04000;
  substr($text, 5, 1) = $m & 0010 ? "s" : "S" if $m & 02000;
  substr($text, 8, 1) = $m & 0001 ? "t" : "T" if $m & 01000;
  return $kind . $text;
}

sub content_of {
  my $at = shift;
  sysopen(my $in, $at, Fcntl::O_RDONLY() | Fcntl::O_NOFOLLOW() | Fcntl::O_NONBLOCK()) or return undef;
  my @now = stat $in; return undef if !@now || ($now[2] & 0170000) != 0100000;
  my $content = "";
  while (1) {
    my $got = sysread($in, $content, 65536, length $content); return undef if !defined $got;
    last if $got == 0;
    say_("large", $path) if length $content > ${MAX_FILE_BYTES};
  }
  return $content;
}
sub put {
  my ($at, $content) = @_;
  sysopen(my $out, $at, Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_TRUNC() | Fcntl::O_NOFOLLOW(), 0600) or spoilt($at, "failed", "space");
  fill($out, $content, $at); return $out;
}
sub fill {
  my ($out, $content, $at) = @_; my $from = 0;
  while ($from < length $content) {
    my $put = syswrite($out, $content, length($content) - $from, $from);
    defined $put or spoilt($at, "failed", "space"); $from += $put;
  }
}
sub flush { for (@_) { $_->sync or spoilt($real, "failed", "space"); } }
sub flush_directory { sysopen(my $at, shift, Fcntl::O_RDONLY()) or say_("failed", "space"); flush($at); }
sub line_of { my $text = content_of(shift); return defined $text && $text =~ /^([^\n]*)\n/ ? $1 : undef; }

# Each directory on the way, as written and where links lead: see the script.
sub check_ways {
  my %seen = ("." => 1, "/" => 1);
  for my $way ($dir, $real, $home) {
    my $at = "";
    for my $part (split m{/}, substr($way, 1)) { $at .= "/$part"; $seen{$at} = 1; }
  }
  my @bad;
  for my $at (sort keys %seen) {
    my @s = lstat $at or next;
    my $open = ($s[2] & 0170000) == 0040000 && ($s[2] & 022) && (!($s[2] & 01000) || $at eq ".");
    push @bad, $at if ($s[4] != 0 && $s[4] != $me) || $open;
  }
  say_("unsafe", "way", @bad) if @bad;
}
sub look {
  ($dir, $name) = $path =~ m{^(.*)/([^/]+)$}s or say_("failed", "verb");
  $dir = "/" if $dir eq "";
  if (!-e $dir) {
    my $up = $dir; $up =~ s{/[^/]*$}{} until -e ($up eq "" ? "/" : $up); $up = "/" if $up eq "";
    say_("denied", "enter", $me, $up) if !-x $up;
    say_("absent", $marker) if $verb eq "read";
    say_("missing", $dir);
  }
  chdir $dir or say_("denied", "enter", $me, $dir);
  $real = Cwd::getcwd(); defined $real or say_("denied", "enter", $me, $dir);
  check_ways();
  my @s = lstat "./$name"; $present = @s ? 1 : 0; return if !@s;
  my $kind = $s[2] & 0170000;
  say_("unsafe", "link", $path) if $kind == 0120000;
  say_("unsafe", "kind", $path) if $kind != 0100000;
  $perm = text_of($s[2]); $bits = $s[2] & 0777; $group = $s[5];
  say_("unsafe", "owner", $s[4], $path) if $s[4] != $me;
  say_("unsafe", "mode", $perm, $path) if $s[2] & 07027;
  say_("large", $path) if $s[7] > ${MAX_FILE_BYTES};
  $shared = find_shared($s[3]);
}
${HELPER_FIND_SHARED}

# The path with every link on its way followed, as far as it exists: see the script.
sub true_path {
  my ($up, $name) = $path =~ m{^(.*)/([^/]+)$}s or return $path;
  my $below = "";
  while (!-d ($up eq "" ? "/" : $up)) { $up =~ s{(/[^/]*)$}{}s or last; $below = "$1$below"; }
  my $way = Cwd::realpath($up eq "" ? "/" : $up); $way = $up if !defined $way; $way = "" if $way eq "/";
  return "$way$below/$name";
}
sub marker_file { return -f "$file.order" ? "$file.order" : "$asked.order"; }
sub read_marker {
  my $at = marker_file(); return if !-f $at;
  my $line = line_of($at); defined $line or say_("unreadable", $at);
  $marker = $line;
}
sub check_order {
  read_marker(); return if $marker eq "-";
  my ($their_store, $their_epoch, $their_generation, $their_mark) = $marker =~ /^([^.]*)\.([0-9]+)\.([0-9]+)(?:\.([0-9a-f]+))?$/ or say_("unreadable", marker_file());
  say_("order", $marker) if $their_store ne $store || $their_epoch > $epoch;
  return if $their_epoch < $epoch || $their_generation < $generation;
  say_("order", $marker) if $their_generation > $generation || (defined $their_mark && $their_mark ne $mark);
}
sub check_state {
  my @s = lstat $state or return 0;
  say_("unsafe", "mode", text_of($s[2]), $state) if ($s[2] & 0170000) != 0040000 || ($s[2] & 07177) != 0100;
  say_("unsafe", "owner", $s[4], $state) if $s[4] != $me;
  return 1;
}
sub need_state {
  return if check_state();
  my $why = mkdir($state, 0700) ? 0 : $! + 0;
  return if check_state();
  $! = $why; spoilt($state, "denied", "make", $me, $home);
}
sub sweep {
  opendir(my $all, $state) or return; for (readdir $all) {
    my $hours = /\.in\.|\.keep\.new$|\.new-/ ? 1 : /\.(keep|wrote)$/ ? 24 : next;
    my @s = lstat "$state/$_"; unlink "$state/$_" if @s && ($s[2] & 0170000) == 0100000 && time - $s[9] > $hours * 3600;
  }
}
sub drop_copy { unlink map { ("$_.keep", "$_.wrote", "$_.keep.new") } $file, $asked; }
sub drop_left {
  my $left = -f "$file.temp" ? line_of("$file.temp") : undef; if (defined $left && $left =~ m{^\.lockstep-[^/]*$}) { unlink "./$left"; say_("fixed", $real) if -e "./$left"; }
}
sub lock_ {
  sysopen($lock, "$file.lock", Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_NOFOLLOW(), 0600) or spoilt($state, "denied", "make", $me, $state);
  for (my $tries = 1; !flock($lock, Fcntl::LOCK_EX() | Fcntl::LOCK_NB()); $tries++) {
    say_("busy", "$file.lock") if $tries >= 100;
    select(undef, undef, undef, 0.1);
  }
}
# Answers what stands there, after it was found to be what was expected.
sub check_content {
  if (!$present) { say_("conflict") if -e "./$name" || -l "./$name" || $expected ne "absent"; return ""; }
  my $content = content_of("./$name");
  say_("conflict") if !defined $content || Digest::SHA::sha256_hex($content) ne $expected;
  return $content;
}
${HELPER_HAS_MORE_RIGHTS}
sub random_name {
  my @letters = ("a" .. "z", "A" .. "Z", 0 .. 9);
  open(my $random, "<:raw", "/dev/urandom") or say_("lacks", "mktemp");
  (sysread($random, my $bytes, 16) || 0) == 16 or say_("lacks", "mktemp");
  return join "", map { $letters[$_ % 62] } unpack "C*", $bytes;
}
# Whether there is room is found out before anything is locked or marked.
sub try_room {
  my $data = shift;
  my $at = "$file.in." . random_name(); $incoming = $at; put($at, $data); unlink $at; $incoming = "";
}
sub make_temp {
  for (1 .. 8) {
    my $out; $temp = ".lockstep-" . random_name(); return $out if sysopen($out, "./$temp", Fcntl::O_WRONLY() | Fcntl::O_CREAT() | Fcntl::O_EXCL() | Fcntl::O_NOFOLLOW(), 0600);
    $temp = ""; last if !$!{EEXIST};
  }
  $temp = ""; spoilt($real, "denied", "make", $me, $real);
}

# See the script.
sub check_fixed {
  if ($present) { sysopen(my $there, "./$name", Fcntl::O_RDWR() | Fcntl::O_NOFOLLOW() | Fcntl::O_NONBLOCK()) or ($!{EPERM} && say_("fixed", $path)); }
  rename("./$temp", "./$temp-") or spoilt($real, "failed", "rename"); $temp = "$temp-";
}

sub replace {
  my $new = shift;
  lock_(); look(); check_order(); my $old = check_content();
  # Writing in place is the script's, and what is left of it.
  say_("other") if $present && ($how eq "in-place" || -e "$file.was" || has_more_rights("./$name", "system.posix_acl_access", "security.selinux"));
  say_("shared", $shared, $path) if $shared ne "-" && "$shared.$how" ne "links.replace";
  drop_left();
  my $out = make_temp();
  put("$file.temp", "$temp\n");
  check_fixed();
  put("$file.temp", "$temp\n");
  # An ACL that the directory gives to every new file.
  say_("other") if $present && has_more_rights("./$temp", "system.posix_acl_access");
  fill($out, $new, $real);
  if ($present) {
    my @s = stat $out;
    say_("failed", "group", $group) if $s[5] != $group && !chown(-1, $group, $out);
    chmod($bits, $out) or say_("failed", "mode");
  } else { chmod(oct $mode, $out) or say_("failed", "mode"); }
  if ($present && $keep eq "yes") {
    put("$file.keep.new", $old);
    rename("$file.keep.new", "$file.keep") or spoilt($state, "failed", "space");
    put("$file.wrote", "$digest $how\n");
  } else { drop_copy(); }
  my $order = put("$file.order.new", join(".", $store, $epoch, $generation, $mark eq "-" ? () : $mark) . "\n");
  flush($out, $order);
  rename("$file.order.new", "$file.order") or spoilt($state, "failed", "space");
  flush_directory($state);
  check_content();
  rename("./$temp", "./$name") or spoilt($real, "failed", "rename");
  $temp = ""; flush_directory(".");
  unlink "$file.temp";
  unlink "$asked.order", "$asked.keep", "$asked.wrote" if $asked ne $file;
}

sub serve {
  my $data = shift;
  if ($verb eq "read") {
    if (lstat $state) { check_state(); read_marker(); }
    look();
    say_("absent", $marker) if !$present;
    my $content = content_of("./$name"); defined $content or say_("denied", "read", $me, $path);
    answer($content, "file $perm $marker" . ($shared eq "-" ? "" : " $shared"));
  } elsif ($verb eq "write") {
    need_state(); if (time - $swept > 3600) { sweep(); $swept = time; }
    say_("short") if Digest::SHA::sha256_hex($data) ne $digest;
    try_room($data);
    replace($data); say_("done");
  } elsif ($verb eq "ping") {
    say_("here");
  } elsif ($verb eq "kept") {
    say_(check_state() && -f "$file.keep" && -f "$file.wrote" ? "kept" : "nothing");
  } elsif ($verb eq "discard") {
    check_state() or say_("done"); lock_(); drop_copy(); sweep();
    if (-f "$file.temp") { look(); drop_left(); unlink "$file.temp"; } say_("done");
  } else { say_("other"); }
}

while (defined(my $line = <STDIN>)) {
  chomp $line;
  ($nonce, $verb, $path, $expected, $digest, $mode, $store, $epoch, $generation, $mark, $keep, $how, $size) = split /\t/, $line, -1;
  defined $size && $size =~ /^[0-9]+$/ && $size <= ${MAX_FILE_BYTES} or exit 1;
  my $data = "";
  if ($size > 0) { my $got = read(STDIN, $data, $size); exit 1 if !defined $got || $got != $size; }
  $path = "$home/" . substr($path, 2) if substr($path, 0, 2) eq "~/";
  $asked = "$state/" . Digest::SHA::sha256_hex($path);
  $file = "$state/" . Digest::SHA::sha256_hex(true_path());
  $marker = "-"; $shared = "-"; $lock = undef;
  my $words = eval { serve($data); 1 } ? undef : ref $@ ? $@->[0] : "failed helper";
  # Nothing is left and nothing is held any more when the answer is heard.
  clean(); $lock = undef; $data = ""; chdir "/";
  answer("", $words) if defined $words;
}
exit 0;
`;
