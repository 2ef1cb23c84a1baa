#!/bin/sh
# SPDX-License-Identifier: MIT
# The documents against the program: what is generated is what `make docs` would write now, what has a
# name is mentioned, and links lead somewhere.
set -u
program=${top_builddir:-.}/intuitor
top=${top_srcdir:-.}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# ---- generated ----

current() {
    if ! cmp -s "$1" "$2"; then
        fail "${2#"$top"/} is not what \`make docs\` writes now"
        diff "$2" "$1" | head -n 10
    fi
}

sh "$top/scripts/options_md.sh" "$program" > "$folder/options.md" || fail "scripts/options_md.sh"
sh "$top/scripts/ops_md.sh" > "$folder/ops.md" || fail "scripts/ops_md.sh"
mkdir "$folder/man"
sh "$top/scripts/man.sh" "$program" "$folder/man" || fail "scripts/man.sh"
current "$folder/options.md" "$top/docs/options.md"
current "$folder/ops.md" "$top/docs/ops.md"
for page in "$folder"/man/*.1; do current "$page" "$top/docs/man/${page##*/}"; done
for page in "$top"/docs/man/*.1; do
    [ -f "$folder/man/${page##*/}" ] || fail "${page#"$top"/} is of no command"
done

# ---- and the generators see everything ----

# named FILE WHAT < NAMES: each name stands in FILE, in backquotes
named() {
    count=0
    while read -r name; do
        count=$((count + 1))
        grep -qF -- "\`$name\`" "$top/$1" || fail "$1 does not mention $2 \`$name\`"
    done
    [ "$count" -gt 0 ] || fail "no $2 found: has its table moved?"
}

commands=$("$program" --help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p')
for command in $commands; do
    grep -qx "## intuitor $command" "$top/docs/options.md" || fail "docs/options.md lacks $command"
    "$program" "$command" --help | sed -n 's/^  \([a-z0-9_-]*\) (.*/\1/p' > "$folder/names"
    named docs/options.md "option of $command" < "$folder/names"
done
sed -n 's/^OP([A-Z0-9_]*, \([a-z0-9_]*\),.*/\1/p' "$top/core/tensor/ops.def" > "$folder/names"
while read -r op; do
    grep -qx "## $op" "$top/docs/ops.md" || fail "docs/ops.md lacks $op"
done < "$folder/names"
[ -s "$folder/names" ] || fail "no operation found: has ops.def moved?"

# ---- written by hand: what has a name is mentioned ----

sed -n 's/^    {"\([a-z0-9_]*\)", ".*/\1/p' "$top/core/rl/reward.c" > "$folder/names"
named docs/algorithm.md reward < "$folder/names"
sed -n 's/^ *X(\([a-z0-9_]*\)).*/\1/p' "$top/tasks/task.c" > "$folder/names"
named README.md task < "$folder/names"
sed -n 's/^ *&it_arch_\([a-z0-9_]*\),.*/\1/p' "$top/models/arch.c" > "$folder/names"
named README.md model < "$folder/names"
"$program" --version | sed 's/.*backends: *//' | tr ' ' '\n' > "$folder/names"
named README.md backend < "$folder/names"
printf '%s\n' $commands > "$folder/names"
named README.md command < "$folder/names"
named docs/cli.md command < "$folder/names"
# profiles of the recipe, and of grading
"$program" train --help | sed -n 's/^  profile (\([^,]*\),.*/\1/p' | tr '|' '\n' > "$folder/names"
named docs/algorithm.md profile < "$folder/names"
# a field of metrics.jsonl; rewards/<name>/... are made of names
sed -n 's/.*(record, "\([^"%]*\)".*/\1/p' "$top/core/rl/record.c" | sort -u > "$folder/names"
named docs/cli.md "field of metrics.jsonl" < "$folder/names"
for fuzzer in "$top"/tests/fuzz/fuzz_*.c; do basename "$fuzzer" .c; done > "$folder/names"
named docs/fuzzing.md fuzzer < "$folder/names"

# ---- links between files; pictures are left to the eye ----

for page in README.md CONTRIBUTING.md NEWS.md $(cd "$top" && echo docs/*.md); do
    [ -f "$top/$page" ] || continue
    sed 's/!\[[^]]*\]([^)]*)//g' "$top/$page" | grep -o '](\([^)#]*\)[^)]*)' |
        sed 's/](\([^)#]*\).*/\1/' > "$folder/links"
    while read -r link; do
        case $link in
        '' | http://* | https://*) continue ;;
        esac
        [ -e "$top/$(dirname "$page")/$link" ] || fail "$page: $link is not there"
    done < "$folder/links"
done

exit $failed
