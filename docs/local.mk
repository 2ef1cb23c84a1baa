# SPDX-License-Identifier: MIT
# Every document is distributed, every man page in docs/man installed: neither needs naming here.
# A page that is generated instead of written goes into man1_MANS with a rule of its own.
EXTRA_DIST += $(wildcard $(srcdir)/docs/*.md)
dist_man1_MANS = $(wildcard $(srcdir)/docs/man/*.1)
