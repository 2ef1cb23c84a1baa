/* SPDX-License-Identifier: MIT */
/* Sums and maxima over a work group of GROUP invocations, in a fixed order; each gets the result.
 * Through shared memory: nothing is assumed about subgroups. */
shared float group_values[GROUP];

float group_sum(float x)
{
    int me = int(gl_LocalInvocationID.x);
    group_values[me] = x;
    barrier();
    for (int step = GROUP / 2; step > 0; step /= 2) {
        if (me < step) {
            precise float sum = group_values[me] + group_values[me + step];
            group_values[me] = sum;
        }
        barrier();
    }
    float sum = group_values[0];
    barrier();
    return sum;
}

float group_max(float x)
{
    int me = int(gl_LocalInvocationID.x);
    group_values[me] = x;
    barrier();
    for (int step = GROUP / 2; step > 0; step /= 2) {
        if (me < step) { group_values[me] = max(group_values[me], group_values[me + step]); }
        barrier();
    }
    float most = group_values[0];
    barrier();
    return most;
}
