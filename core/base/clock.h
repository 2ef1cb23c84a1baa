/* SPDX-License-Identifier: MIT */
/* Time, and the request to stop. */
#ifndef IT_BASE_CLOCK_H
#define IT_BASE_CLOCK_H

#include <stdbool.h>

double it_now(void); /* seconds, monotonic */

/* After it_interrupt_install, SIGINT and SIGTERM set a flag that long loops ask for; a second
 * signal ends the program at once. */
void it_interrupt_install(void);
bool it_interrupted(void);

#endif
