#!/bin/sh
# SPDX-License-Identifier: MIT
# intuitor grade from the outside: fields, bad records, the summary, pass@k.
set -u
program=${top_builddir:-.}/intuitor
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# grade CODE OPTIONS...: of $folder/in
grade() {
    code=$1
    shift
    "$program" grade --input "$folder/in" "$@" > "$folder/out" 2> "$folder/err"
    got=$?
    [ "$got" -eq "$code" ] || fail "exit $got, expected $code: $*: $(cat "$folder/err")"
}

has() {
    grep -qF -- "$1" "$folder/$2" || fail "$2 does not have $1: $(cat "$folder/$2")"
}

cat > "$folder/in" <<'END'
{"id":"a","completion":"so \\boxed{4}","gold":"4","kept":{"x":[1,2.5,null]}}
{"id":"a","completion":"so \\boxed{5}","gold":"4"}
{"id":"b","completion":"nothing","gold":"2"}
{"id":"b","completion":"\\boxed{2}","gold":"2"}
{"id":"b","completion":"\\boxed{2}","gold":"2"}
{"completion":"\\boxed{7}","gold":"7"}
END
grade 0 --task arithmetic --json
[ "$(wc -l < "$folder/out")" = 1 ] || fail "--json is not one document"
for field in '"task":"arithmetic"' '"profile":"box"' '"n":6,' '"correct":4,' '"problems":3,' \
    '"no_answer":1' '"ungradable":0' '"accuracy":0.66666666666666663'; do
    has "$field" out
done
grade 0 --task arithmetic --k 1,2 --json
has '"pass@1":0.722222' out # (1/2 + 2/3 + 1) / 3
has '"pass@2":null' out     # the last problem has one sample
has 'warning: pass@2' err
sed '$d' "$folder/in" > "$folder/five" && mv "$folder/five" "$folder/in"
grade 0 --task arithmetic --k 1,2 --json
has '"pass@2":1.0' out

# each on its own: the standard error of a mean, the deviation over n - 1
sed 's/"id":"[ab]",//' "$folder/in" > "$folder/alone" && mv "$folder/alone" "$folder/in"
grade 0 --task arithmetic --json
has '"stderr":0.24494897427831' out # sqrt(0.6 * 0.4 / 4)

# records: what was there is kept, what was bad is named
cat >> "$folder/in" <<'END'
broken

{"completion":5,"gold":"2"}
{"completion":"x"}
[]
{"id":7,"completion":"\\boxed{2}","gold":"2","correct":"old"}
END
grade 1 --task arithmetic
has '"kept":{"x":[1,2.5,null]},"extracted":"4","correct":true,"detail":null}' out
has '"extracted":null,"correct":false,"detail":"no complete box"}' out
has '"id":7,"completion":"\\boxed{2}","gold":"2","correct":true,"extracted":"2"' out
[ "$(wc -l < "$folder/out")" = 6 ] || fail "six good records were expected"
has "$folder/in:6: not valid JSON" err
has "$folder/in:8: field \"completion\": expected a string, found an integer" err
has "$folder/in:9: field \"gold\"" err
has "$folder/in:10: expected an object" err
has '4 of 10 records are bad' err
cp "$folder/out" "$folder/want"
grade 1 --task arithmetic --output "$folder/file" --json
cmp -s "$folder/want" "$folder/file" || fail "--output differs from standard output"
[ "$(wc -l < "$folder/out")" = 1 ] || fail "--json with --output is not one document"
grade 1 --task arithmetic --output "$folder/file"
has '4 of 6 right' out
grade 1 --task arithmetic --output /dev/full
: > "$folder/in"
grade 0 --task arithmetic --json
has '"n":0,"correct":0,"accuracy":null,"stderr":null' out

exit $failed
