#!/bin/sh
# SPDX-License-Identifier: MIT
# Style of the sources: lengths of files and lines, the SPDX line first, no tabs in C, nothing left
# for later. Says FILE:LINE for each offence. $srcdir is the tree to look at.
cd "${srcdir:-.}" || exit 99

folders=
for folder in backends bench cli core models scripts tasks tests; do
  if test -d "$folder"; then folders="$folders $folder"; fi
done
if test -z "$folders"; then
  echo "check_style: no sources under ${srcdir:-.}" >&2
  exit 99
fi

# .inc.c counts as .c. Bytes that go on with a UTF-8 character take no column. The shaders as C are
# written by the build, and a release has them among its sources.
find $folders -type f ! -path backends/vulkan/spirv.c \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cl' \
    -o -name '*.comp' -o -name '*.sh' -o -name '*.mk' -o -name '*.m4' \) |
LC_ALL=C sort |
LC_ALL=C awk '
  function offend(line, cause) { print file ":" line ": " cause; offences++ }
  BEGIN { later = "(^|[^A-Za-z_])(TO" "DO|FIX" "ME|XX" "X)([^A-Za-z_]|$)" }
  {
    file = $0
    files++
    code = file ~ /\.(c|h|def|cu|cuh|cl|comp)$/
    n = 0
    licensed = 0
    while ((got = (getline text < file)) > 0) {
      n++
      if (text ~ /SPDX-License-Identifier: MIT/ && (n == 1 || (n == 2 && script))) { licensed = 1 }
      script = n == 1 && text ~ /^#!/
      if (text ~ later) { offend(n, "something is left for later") }
      if (!code) { continue }
      if (text ~ /\t/) { offend(n, "a tab") }
      if (text ~ /[ \r]$/) { offend(n, "a blank or CR at the end of the line") }
      columns = text
      gsub(/[\200-\277]/, "", columns)
      if (length(columns) > 100) { offend(n, length(columns) " columns, 100 at most") }
    }
    close(file)
    if (got < 0) { offend(0, "cannot be read") }
    if (!licensed) { offend(1, "expected the SPDX line first") }
    if (code && n > 600) { offend(n, "600 lines at most") }
  }
  END {
    if (files == 0) { print "check_style: no sources found"; exit 99 }
    if (offences) { print offences " offences in " files " files"; exit 1 }
    print files " files are in style"
  }'
