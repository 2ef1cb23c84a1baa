#!/bin/sh
# SPDX-License-Identifier: MIT
# select and analyze from the outside: each method on samples worked by hand, both layouts of
# records, bad records, what is missing.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"

# run CODE COMMAND OPTIONS...: of $folder/in
run() {
    code=$1 command=$2
    shift 2
    runs "$code" "$program" "$command" --input "$folder/in" "$@"
}

# sample TEXT TOKENS LOGPROB CERTAINTY ENTROPY GINI
sample() {
    printf '{"text":"%s","token_ids":[%s],"finish_reason":"stop","logprob":%s,' "$1" "$2" "$3"
    printf '"self_certainty":%s,"entropy":%s,"gini":%s}' "$4" "$5" "$6"
}

# the right answer 4: twice, with low scores; 0.5 and 1/2 are one answer
{
    printf '{"id":"a","prompt":"2+2","gold":"4","kept":[1],"completions":['
    sample 'so \\boxed{5}' 1,2 -0.2 9.0 0.1 0.9
    printf ','
    sample 'so \\boxed{4}' 1,2 -2.0 3.0 0.9 0.3
    printf ','
    sample 'so \\boxed{4}' 1,2,3,4 -3.0 2.0 0.8 0.4
    printf ','
    sample 'nothing' 1 -0.01 99.0 0.01 0.99
    printf ']}\n{"id":"b","prompt":"1/2","gold":"\\\\frac12","completions":['
    sample '\\boxed{7}' 1 -1.0 1.0 0.5 0.5
    printf ','
    sample '\\boxed{0.5}' 1 -0.5 2.0 0.6 0.4
    printf ','
    sample '\\boxed{1/2}' 1 -0.9 3.0 0.7 0.6
    printf ','
    sample '\\boxed{7}' 1 -0.1 4.0 0.1 0.7
    printf ']}\n'
} > "$folder/in"

# method N ACCURACY CHOSEN, for every method and size
run 0 select --json
[ "$(wc -l < "$folder/out")" = 1 ] || fail "--json is not one document"
tr -d ' ' < "$folder/out" | sed 's/{"method"/\n&/g' | grep '^{"method"' |
    sed 's/.*"method":"\([a-z_]*\)","n":\([0-9]*\).*"accuracy":\([0-9.]*\).*"chosen":\[\([0-9,]*\)\].*/\1 \2 \3 \4/' \
        > "$folder/table"
while read -r row; do
    grep -qx "$row" "$folder/table" || fail "no row \"$row\" in: $(cat "$folder/table")"
done <<'END'
first 1 0.0 0,0
first 4 0.0 0,0
self_certainty 2 0.5 0,1
self_certainty 4 0.0 0,3
avg_logprob 1 0.0 0,0
avg_logprob 2 0.5 0,1
avg_logprob 4 0.0 0,3
perplexity 4 0.0 0,3
entropy 2 0.0 0,0
entropy 4 0.0 0,3
gini 4 0.0 0,3
majority 2 0.0 0,0
majority 4 0.5 1,0
oracle 1 0.0 0,0
oracle 2 1.0 1,1
borda 4 1.0 1,1
END
[ "$(wc -l < "$folder/table")" = 27 ] || fail "27 rows were expected: $(cat "$folder/table")"
# ranks of a: none, 5, 4, 4: with power 0 they tie 1 to 2, with 2 it is 9 to 4 + 1
run 0 select --method borda --power 2 --n 4 --json
has '"power":2.0,"score":"self_certainty","problems":2,"correct":0' out
has '"chosen":[0,0]' out
run 0 select --method borda --power 0 --n 4 --json
has '"chosen":[1,0]' out
run 0 select --method borda --power 2 --score entropy --n 3 --json
has '"score":"entropy"' out
run 0 select --method majority,first
has 'majority            0.0000    0.0000    0.5000' out

run 0 select --method majority --output "$folder/chosen"
[ "$(wc -l < "$folder/chosen")" = 2 ] || fail "two problems were expected"
has '"selected":1,"completion":"so \\boxed{4}","extracted":"4","correct":true}' chosen
has '"kept":[1]' chosen
"$program" grade --task math --input "$folder/chosen" --json | grep -q '"accuracy":0.5,' ||
    fail "what was chosen is graded otherwise"

# the same samples as records of one completion each
sed 's/{"text"/\n&/g' "$folder/in" | awk '
    /^{"id"/ { id = $0; sub(/,"completions.*/, "", id) }
    /^{"text"/ { line = $0; sub(/"text"/, "\"completion\"", line); sub(/}[],].*$/, "", line)
                 print id "," substr(line, 2) "}" }' > "$folder/flat"
[ "$(wc -l < "$folder/flat")" = 8 ] || fail "eight flat records were expected"
cp "$folder/in" "$folder/nested"
cp "$folder/flat" "$folder/in"
cp "$folder/table" "$folder/want"
run 0 select --json
tr -d ' ' < "$folder/out" | sed 's/{"method"/\n&/g' | grep '^{"method"' |
    sed 's/.*"method":"\([a-z_]*\)","n":\([0-9]*\).*"accuracy":\([0-9.]*\).*"chosen":\[\([0-9,]*\)\].*/\1 \2 \3 \4/' \
        > "$folder/table"
cmp -s "$folder/want" "$folder/table" || fail "flat records give other choices"
# graded first: taken as graded, unless a task is named
"$program" grade --task math --input "$folder/in" 2> "$folder/err" |
    sed 's/"correct":false/"correct":true/' > "$folder/graded"
cp "$folder/graded" "$folder/in"
run 0 select --method first --n 1 --json
has '"accuracy":1.0' out
run 0 select --method first --n 1 --json --task math
has '"accuracy":0.0' out

# ---- bad records ----
{
    cat "$folder/nested"
    echo 'broken'
    echo '{"id":"c","gold":"1"}'
    echo '{"id":"d","gold":"1","completions":[]}'
    echo '{"id":"e","gold":"1","completions":[{"text":5}]}'
    echo '{"id":"f","gold":"1","completions":[{"text":"1"}]}'
    echo '{"id":"g","gold":"1","completions":[{"text":"1","logprob":"x"}]}'
    echo '{"id":"h","gold":[1],"completions":[{"text":"1","self_certainty":1,"logprob":-1}]}'
} > "$folder/in"
run 1 select --method self_certainty --n 2 --json
for line in 3 4 5 6 7 8 9; do has "$folder/in:$line: " err; done
has '7 of 9 records are bad' err
has '"problems":2' out
has '"accuracy":0.5' out
run 2 select --method bordas
has 'did you mean borda' err
run 2 select --n 0
run 2 select --task maths
has 'did you mean "math"' err
run 2 select --method first,borda --output "$folder/x"
run 2 analyze extra

# without a gold there are choices, and no accuracy
sed 's/"gold":"[^"]*",//' "$folder/nested" > "$folder/in"
run 0 select --method majority --json
has '"accuracy":null' out
has '"chosen":[1,0]' out
run 0 select --method majority
has 'no record has a gold' out
: > "$folder/in"
run 0 select --json
has '"problems":0' out
run 0 select
run 0 analyze --json

# ---- analyze ----
cp "$folder/nested" "$folder/in"
run 0 analyze --json
[ "$(wc -l < "$folder/out")" = 1 ] || fail "--json is not one document"
# right 3 2 2 3, wrong 9 99 1 4: of 16 pairs 4 are won
has '"U":4.0,"z":-1.16' out
has '"n_correct":4,"n_wrong":4,"mean_correct":2.5,"mean_wrong":28.25,"u":4.0,"auroc":0.25' out
has '"categories":{"no_answer":{"n":1,"share":0.125,"accuracy":0.0},"no_reasoning":{"n":7' out
has '"answers":{"unique":2.0,"majority_share":0.5,"unanimous":0.0}' out
has '"unit":"tokens","all":{"n":8,"mean":1.625,"median":1.0,"min":1.0,"max":4.0}' out
has '{"method":"majority","n":4,"problems":2,"correct":1,"accuracy":0.5' out
run 0 analyze --against "$folder/nested" --json
has '"overlap":{"problems":2,"unique_a":4,"unique_b":4,"shared":4,"jaccard":1.0}' out
run 0 analyze
has 'self_certainty' out
has 'accuracy by the number of samples' out

exit "$failed"
