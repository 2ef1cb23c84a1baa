# SPDX-License-Identifier: MIT
libintuitor_la_SOURCES += \
	core/data/data.h
