# SPDX-License-Identifier: MIT
# Every document is distributed, every man page in docs/man installed: neither needs naming here.
EXTRA_DIST += $(wildcard $(srcdir)/docs/*.md) $(wildcard $(srcdir)/docs/images/*) \
	scripts/help.sh scripts/man.sh scripts/ops_md.sh scripts/options_md.sh
dist_man1_MANS = $(wildcard $(srcdir)/docs/man/*.1)

# make docs: what is generated, again, after an option, an operation or a command has changed. The
# results are committed; tests/check_docs.sh compares them.
docs: intuitor
	$(AM_V_GEN)for name in ops options; do \
	  $(SHELL) $(srcdir)/scripts/$${name}_md.sh ./intuitor >docs.tmp && \
	    mv docs.tmp $(srcdir)/docs/$$name.md || exit 1; \
	done
	$(AM_V_at)$(MKDIR_P) $(srcdir)/docs/man && \
	  $(SHELL) $(srcdir)/scripts/man.sh ./intuitor $(srcdir)/docs/man
.PHONY: docs
