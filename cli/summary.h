/* SPDX-License-Identifier: MIT */
/* What `train` prints of a plan and of a finished run. */
#ifndef IT_CLI_SUMMARY_H
#define IT_CLI_SUMMARY_H

#include "cli/cli.h"

/* Batch arithmetic in words, memory a part, and the temperature, top_k, loss and weight decay that
 * recipe and profile came to. */
enum it_status it_summary_plan(const struct it_session *session, bool json);
void it_summary_batch(const struct it_session *session, const struct it_batch_shape *shape,
                      struct it_str *out);
/* Accuracy before and after with its standard error, sampled and greedy, and two answers. Nothing
 * when the run has no evaluations. */
enum it_status it_summary_run(const char *folder, bool json);
/* `train --resume RUN_DIR`: the run's own recipe.yaml, writing to that folder. */
enum it_status it_summary_resume_folder(struct it_strs *arguments);

#endif
