#!/bin/sh
# SPDX-License-Identifier: MIT
# intuitor grade from the outside: fields, bad records, the summary, pass@k.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"

# grade CODE OPTIONS...: of $folder/in
grade() {
    code=$1
    shift
    runs "$code" "$program" grade --input "$folder/in" "$@"
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

# ---- what several samples say, splits, windows ----
cat > "$folder/in" <<'END'
{"id":1,"level":10,"day":"2024-07-31T10:00:00","completion":"\\boxed{4}","gold":"4"}
{"id":1,"level":10,"day":"2024-07-31T10:00:00","completion":"\\boxed{5}","gold":"4"}
{"id":1,"level":10,"day":"2024-07-31T10:00:00","completion":"\\boxed{5}","gold":"4"}
{"id":2,"level":9,"day":"2024-08-01T00:00:00","completion":"nothing","gold":"7"}
{"id":2,"level":9,"day":"2024-08-01T00:00:00","completion":"\\boxed{7}","gold":"7"}
{"id":2,"level":9,"day":"2024-08-01T00:00:00","completion":"\\boxed{8}","gold":"7"}
END
grade 0 --task math --k 1,2,3 --samples 3 --by day:7 --json
# of the first two: 4 and 5 tie, the first counts; nothing and 7: 7. Of three: 5 wins; 7 before 8
has '"pass@2":0.66666666666666663,"avg@2":0.5,"maj@2":1.0' out
has '"pass@3":1.0,"avg@3":0.33333333333333331,"maj@3":0.5' out
has '"by":{"level":{"9":{"n":3,"correct":1,' out
has '"day":{"2024-07":{"n":3,' out
[ "$(grep -o '"10":{"n"' "$folder/out" | wc -l)" = 1 ] || fail "no level 10"
grade 0 --task math --by day:7
has '  by day' err
grade 0 --task math --from 2024-08-01 --date-field day --json
has '"n":3,' out
has '"outside":3' out
grade 0 --task math --from 2024-07-01 --to 2024-08-01 --date-field day --json
has '"n":6,' out
grade 0 --task math --to 2024-07-31 --date-field day --json
has '"n":0,' out
grade 2 --task math --by :3
grade 2 --task math --samples -1
grade 0 --task math --by nothing --json
has 'no record has a field "nothing"' err
sed '$d' "$folder/in" > "$folder/five" && mv "$folder/five" "$folder/in"
grade 1 --task math --k 1,3 --samples 3 --json
has '"pass@1":null,"pass@3":null,"avg@3":null,"maj@3":null' out
has 'from 2 to 3 samples, 3 each were expected' err

# many records over many threads: the same output, in the same order
awk 'BEGIN { for (i = 0; i < 9000; i++)
    printf "{\"id\":%d,\"completion\":\"\\\\boxed{%d}\",\"gold\":\"%d\"}\n", i, i % 7, i % 5 }' \
    > "$folder/in"
echo '{"completion":1}' >> "$folder/in"
grade 1 --task math --threads 1 --output "$folder/one"
grade 1 --task math --threads 5 --output "$folder/five"
cmp -s "$folder/one" "$folder/five" || fail "threads change the output"
has "$folder/in:9001: " err
{ echo '['; sed '$d' "$folder/in" | sed 's/$/,/; $s/,$//'; echo ']'; } > "$folder/array"
mv "$folder/array" "$folder/in"
grade 0 --task math --output "$folder/two"
cmp -s "$folder/one" "$folder/two" || fail "a JSON array is graded otherwise"

# ---- two files ----
compare() {
    code=$1
    shift
    runs "$code" "$program" grade --compare "$@"
}
# both right 2, only a 3, only b 9, neither 1; and one of a alone
awk -v side=1 'BEGIN { for (i = 0; i < 15; i++)
    printf "{\"id\":%d,\"correct\":%s}\n", i, i < 5 ? "true" : "false"
    print "{\"id\":\"x\",\"correct\":true}" }' > "$folder/a"
awk 'BEGIN { for (i = 0; i < 15; i++)
    printf "{\"id\":%d,\"correct\":%s}\n", i, i < 2 || (i > 4 && i < 14) ? "true" : "false" }' \
    > "$folder/b"
compare 0 "$folder/a" "$folder/b" --json --seed 3
has '"problems":15' out
has '"both":2,"only_a":3,"only_b":9,"neither":1,"mcnemar_p":0.145996093' out
has '"difference":0.40000000000000002' out
has '"unpaired":1' out
has '1 problems are not in the other file' err
cp "$folder/out" "$folder/want"
compare 0 "$folder/a" "$folder/b" --json --seed 3
cmp -s "$folder/want" "$folder/out" || fail "one seed gives two bootstraps"
compare 0 "$folder/a" "$folder/b"
has 'McNemar p 0.146' out
cat "$folder/a" "$folder/a" > "$folder/aa"
compare 0 "$folder/aa" "$folder/b" --json
has '"mcnemar_p":null' out
echo '{"id":3}' >> "$folder/b"
compare 1 "$folder/a" "$folder/b" --json
has "$folder/b:16: field \"correct\"" err
compare 2 "$folder/a"

exit "$failed"
