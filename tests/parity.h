/* SPDX-License-Identifier: MIT */
/* Every case of cases.def on a device, held against the reference. Operands lie between guard
 * zones, once contiguous and once as strided views of something larger; nothing outside the outputs
 * may change, and nothing at all where a kernel refuses. */
#ifndef IT_TESTS_PARITY_H
#define IT_TESTS_PARITY_H

#include "core/tensor/cases.h"

struct parity_how {
    bool in_float;    /* against the float reference instead of the double one */
    bool to_the_bit;  /* tolerance 0 instead of the case's */
};

struct parity_report {
    int ran, refused, failed; /* cases, each counted for both layouts */
    int optional;             /* of those refused: ops that a backend may be without, tier F */
    double worst;             /* share of its tolerance that a case used, at most */
};

/* Says each failure on stderr. */
void parity_run(struct it_device *device, struct parity_how how,
                struct parity_report *report_out);

#endif
