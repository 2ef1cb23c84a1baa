#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom (docs/style.md): a file includes its own folder and folders of a lower floor,
# written from the root. Says FILE:LINE for each offence. $srcdir is the tree to look at.
cd "${srcdir:-.}" || exit 99

folders=
for folder in core models tasks cli backends; do
  if test -d "$folder"; then folders="$folders $folder"; fi
done
if test -z "$folders"; then
  echo "check_layers: no sources under ${srcdir:-.}" >&2
  exit 99
fi

find $folders -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' \
    -o -name '*.cl' -o -name '*.comp' \) |
LC_ALL=C sort |
LC_ALL=C awk '
  BEGIN {
    floor["core/base"] = 0
    floor["core/tensor"] = 1
    floor["core/text"] = 1
    floor["core/data"] = 1
    floor["core/nn"] = 2
    floor["models"] = 3
    floor["core/gen"] = 4
    floor["core/rl"] = 5
    floor["tasks"] = 6
    floor["cli"] = 7
  }
  function offend(cause) {
    print file ":" line ": " cause
    offences++
  }
  # "core/base", "backends/cpu", "tasks": the folder that has a floor; "" for what has none.
  function part(path, name) {
    split(path, name, "/")
    if (name[1] == "core" || name[1] == "backends") { return name[1] "/" name[2] }
    return name[1] in floor ? name[1] : ""
  }
  function check(from, path, to) {
    # written by configure and make: not a folder of ours
    if (path == "config.h" || path == "version.h") { return }
    # the list of the backends in this build, not a backend
    if (path == "backends/static-backends.def" && (from == "core/tensor" || from == "cli")) {
      return
    }
    to = part(path)
    if (path ~ /(^|\/)\.\.?\//) {
      offend("\"" path "\": includes are written from the root")
    } else if (to == from) {
      return
    } else if (to ~ /^backends\//) {
      offend("\"" path "\": nobody includes a backend")
    } else if (!(to in floor)) {
      offend("\"" path "\": expected a path from the root, such as core/base/str.h")
    } else if (path ~ /(\/|_)internal\.h$/) {
      offend("\"" path "\": internal to " to)
    } else if (from ~ /^backends\//) {
      if (to != "core/tensor" && to != "core/base") {
        offend("\"" path "\": a backend sees core/tensor and core/base only")
      }
    } else if ((from == "core/gen" || from == "core/rl") && to == "models") {
      offend("\"" path "\": " from " is handed an opened model and includes nothing of models")
    } else if (floor[to] >= floor[from]) {
      offend("\"" path "\": " from " (floor " floor[from] ") may not include " to " (floor " \
             floor[to] ")")
    }
  }
  {
    file = $0
    line = 0
    from = part(file)
    files++
    if (from !~ /^backends\// && !(from in floor)) { offend("a folder without a floor") }
    while ((getline text < file) > 0) {
      line++
      # "path", and <path> where it names a folder of this tree
      if (text !~ /^[ \t]*#[ \t]*include[ \t]*["<]/) { continue }
      system_path = text ~ /^[ \t]*#[ \t]*include[ \t]*</
      path = text
      sub(/^[^"<]*["<]/, "", path)
      sub(/[">].*/, "", path)
      if (system_path && path !~ /^(core|models|tasks|cli|backends|tests|bench)\//) { continue }
      includes++
      check(from, path)
    }
    close(file)
  }
  END {
    if (includes == 0) { print "check_layers: no includes found"; exit 99 }
    if (offences) { print offences " offences in " files " files"; exit 1 }
    print includes " includes in " files " files keep to their floors"
  }'
