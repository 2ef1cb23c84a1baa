#!/bin/sh
# SPDX-License-Identifier: MIT
# The page from the outside: sound runs, damaged ones, hostile text, and what is refused.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"

shows() {
    grep -q -e "$2" "$1" || fail "$1 has no \"$2\""
}

hides() {
    if grep -q -e "$2" "$1"; then fail "$1 has \"$2\""; fi
}

# Elements that are opened are closed, in order; text has no bare < or &.
balanced() {
    python3 - "$1" <<'END' || fail "$1 is not well-formed"
import sys
from html.parser import HTMLParser
void = {"meta", "rect", "path", "circle", "br", "img"}
class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
    def handle_starttag(self, tag, attrs):
        if tag not in void:
            self.open.append(tag)
        if tag in ("script", "img", "iframe", "object", "link") or \
                any(k.startswith("on") or k in ("src", "href") for k, v in attrs):
            sys.exit("a <%s> that no page of ours has" % tag)
    def handle_startendtag(self, tag, attrs):
        pass
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            sys.exit("</%s> closes nothing at %s" % (tag, self.getpos()))
page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
if page.open:
    sys.exit("never closed: %s" % page.open)
END
}
command -v python3 > /dev/null || balanced() { :; }

# --- sound runs ---
# make NAME UPDATES
make_run() {
    mkdir -p "$folder/$1/completions"
    cat > "$folder/$1/recipe.yaml" <<END
method: intuitor
dataset_name: arithmetic
reward_funcs: [self_certainty, accuracy]
seed: $3
END
    printf '{"version": "1", "device_description": "a <machine> & more", "exact": true}' \
        > "$folder/$1/run.json"
    awk -v n="$2" 'BEGIN { for (s = 1; s <= n; s++) {
        printf "{\"step\":%d,\"guard/accuracy\":%.4f,\"reward\":%.4f,\"learning_rate\":%.3e,", s,
            s / (n + 1), sin(s), 1e-5 * (n - s)
        printf "\"grad_norm\":%.4f,\"rewards/length/mean\":%s}\n", s % 97 ? 0.5 : 80, s % 5 ? s : "null"
    } }' > "$folder/$1/metrics.jsonl"
    cat > "$folder/$1/eval.jsonl" <<END
{"step":0,"n":64,"sampled/accuracy":0.25,"sampled/stderr":0.05,"greedy/accuracy":0.5,"greedy/stderr":0.06,"samples":[{"prompt":"1+1=","gold":"2","greedy":"three"}]}
{"step":$2,"n":64,"sampled/accuracy":0.75,"sampled/stderr":0.05,"greedy/accuracy":0.875,"greedy/stderr":0.04,"samples":[{"prompt":"1+1=","gold":"2","greedy":"two"}]}
END
    for step in 1 "$2"; do
        printf '{"step":%d,"prompt":"1+1=","completion":"two","completion_tokens":3,"finish_reason":"stop","accuracy":1.0,"advantage":1.5}\n{"step":%d,"prompt":"1+1=","completion":"three","advantage":-1.5}\n' \
            "$step" "$step" > "$folder/$1/completions/completions_$(printf %05d "$step").jsonl"
    done
}
make_run one 40 1
make_run two 5000 2

expect 0 "one run" "$program" report "$folder/one"
page=$folder/one/report.html
says "$page"
balanced "$page"
shows "$page" '+0.500'
shows "$page" 'a &lt;machine&gt; &amp; more'
shows "$page" 'Reward: length'
shows "$page" 'sample up3'
shows "$page" 'sample down3'
shows "$page" 'prefers-color-scheme:dark'
shows "$page" '@media print'
hides "$page" 'nan'
hides "$page" 'inf[^a-z]'

expect 0 "two runs" "$program" report "$folder/one" "$folder/two/" -o "$folder/both.html"
balanced "$folder/both.html"
shows "$folder/both.html" 'Where the recipes differ'
[ "$(wc -c < "$folder/both.html")" -lt 400000 ] || fail "5000 updates make too large a page"
expect 0 "the same again" "$program" report "$folder/one" "$folder/two/" -o "$folder/again.html"
cmp -s "$folder/both.html" "$folder/again.html" || fail "the page is not the same each time"

# the same name twice
mkdir "$folder/more"
cp -r "$folder/one" "$folder/more/one"
expect 0 "runs of one name" "$program" report "$folder/one" "$folder/more/one" -o "$folder/names.html"
shows "$folder/names.html" "$folder/more/one</bdi>"

# --- damaged, empty, hostile ---
mkdir -p "$folder/bad/completions" "$folder/empty" "$folder/young" "$folder/<i>&run"
cat > "$folder/bad/metrics.jsonl" <<'END'
{"step":1,"reward":NaN,"loss":-Infinity,"guard/accuracy":null}
{"step":2,"reward":1e300,"loss":"text","</svg>":3}
garbage
{"step":"two"}
[1]

{"step":7,"reward":0.5,"loss":1e-320}
{"step":2,"reward":0.25}
{"step":3,"rewa
END
printf '{"step":0}\n{"step":1,"sampled/accuracy":0.5,"samples":[1,null,{"prompt":5}]}\n{"step":null}' \
    > "$folder/bad/eval.jsonl"
printf 'a: [1,2\n' > "$folder/bad/recipe.yaml"
printf '[1,2]' > "$folder/bad/run.json"
printf '%s\n' '{"step":1,"completion":"</pre><script>alert(1)</script>\u0000\u001b\u202e\"","prompt":null}' \
    '{"completion":5}' '{"completion":"","advantage":"much"}' > "$folder/bad/completions/completions_1.jsonl"
: > "$folder/bad/completions/completions_x.jsonl"
expect 0 "a damaged run" "$program" report "$folder/bad"
balanced "$folder/bad/report.html"
says "metrics.jsonl: lines that are no records, left out: 3"
says "recorded again"
shows "$folder/bad/report.html" '&lt;script&gt;'
hides "$folder/bad/report.html" '<script'

: > "$folder/young/metrics.jsonl"
cp "$folder/one/metrics.jsonl" "$folder/<i>&run"
expect 0 "no updates yet, a hostile name" "$program" report "$folder/young" "$folder/<i>&run" \
    -o "$folder/young.html"
balanced "$folder/young.html"
shows "$folder/young.html" 'no update is recorded yet'
shows "$folder/young.html" '&lt;i&gt;&amp;run'

# --- refused ---
expect 2 "no run" "$program" report
says "RUN_DIR"
expect 2 "a folder that is no run" "$program" report "$folder/empty"
says "not a run directory"
expect 2 "a folder that is not there" "$program" report "$folder/none"
expect 2 "a page that cannot be written" "$program" report "$folder/one" -o "$folder/none/page.html"
expect 0 "help" "$program" report --help
says "--png"

# --- pictures ---
if command -v gnuplot > /dev/null; then
    expect 0 "pictures" "$program" report "$folder/one" "$folder/bad" -o "$folder/p.html" \
        --png "$folder/it's png"
    [ -s "$folder/it's png/guard_accuracy.png" ] || fail "no picture of the accuracy"
    [ -s "$folder/it's png/rewards_length_mean.png" ] || fail "no picture of the reward"
fi
here=$(cd "$(dirname "$program")" && pwd)/intuitor
PATH=$folder/none expect 2 "pictures without gnuplot" "$here" report "$folder/one" --png "$folder/png"
says "gnuplot"

exit $failed
