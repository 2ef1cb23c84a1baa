/* SPDX-License-Identifier: MIT */
/* Read by the leak checker of a sanitized build: what a driver and its compiler keep is theirs. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libpocl\nleak:libLLVM\nleak:libclang\n";
}
