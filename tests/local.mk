# SPDX-License-Identifier: MIT
# Checks of the sources themselves. The tests of a folder are listed in that folder's local.mk.
dist_check_SCRIPTS += \
	tests/check_docs.sh \
	tests/check_layers.sh \
	tests/check_style.sh
