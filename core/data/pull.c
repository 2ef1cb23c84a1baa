/* SPDX-License-Identifier: MIT */
/* A pull from beginning to end: what there is, what is wanted, the transfers side by side. */
#include "core/data/pull.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/hub.h"
#include "core/data/pull_internal.h"

enum { MOST_JOBS = 64, MEGABYTE = 1000000 };

/* ---- many files ---- */

struct crew {
    const struct it_pull_hub *hub;
    const struct it_pull_place *place;
    struct it_pull_file **order; /* large ones first, so that none is waited for at the end */
    size_t n;
    atomic_size_t next;
    _Atomic int64_t progress, fetched;
    atomic_int working, failed;
    atomic_int status; /* the first that is not IT_OK */
};

/* A lost file leaves the others worth having; a full disk or a closed door does not. */
static bool goes_on(struct crew *crew)
{
    int status = atomic_load(&crew->status);
    return (status == IT_OK || status == IT_FAILED) && !it_interrupted();
}

static void note(struct crew *crew, enum it_status status)
{
    int none = IT_OK, lost = IT_FAILED;
    if (status == IT_OK) { return; }
    atomic_fetch_add(&crew->failed, 1);
    if (!atomic_compare_exchange_strong(&crew->status, &none, (int)status)) {
        atomic_compare_exchange_strong(&crew->status, &lost, (int)status);
    }
}

static void *work(void *context)
{
    struct crew *crew = context;
    struct it_http *http = NULL;
    enum it_status status = it_http_open(&http);
    note(crew, status);
    while (status == IT_OK && goes_on(crew)) {
        size_t i = atomic_fetch_add(&crew->next, 1);
        if (i >= crew->n) { break; }
        note(crew, it_pull_fetch(crew->hub, crew->place, http, crew->order[i], &crew->progress,
                                 &crew->fetched));
    }
    it_http_close(http);
    atomic_fetch_sub(&crew->working, 1);
    return NULL;
}

static int compare_size(const void *a, const void *b)
{
    const struct it_pull_file *x = *(struct it_pull_file *const *)a;
    const struct it_pull_file *y = *(struct it_pull_file *const *)b;
    if (x->size != y->size) { return x->size < y->size ? 1 : -1; }
    return strcmp(x->path, y->path);
}

/* Until the last thread is done, drawing the bar. */
static void watch(struct crew *crew, int64_t bytes)
{
    struct it_progress bar;
    it_progress_begin(&bar, "pull", "MB", (bytes + MEGABYTE - 1) / MEGABYTE);
    while (atomic_load(&crew->working) > 0) {
        it_progress_set(&bar, atomic_load(&crew->progress) / MEGABYTE);
        usleep(20000);
    }
    it_progress_end(&bar);
}

static enum it_status run_crew(struct crew *crew, int64_t bytes)
{
    pthread_t thread[MOST_JOBS];
    size_t jobs = (size_t)crew->hub->options->jobs, begun = 0;
    if (jobs > crew->n) { jobs = crew->n; }
    while (begun < jobs) {
        atomic_fetch_add(&crew->working, 1);
        if (pthread_create(&thread[begun], NULL, work, crew) != 0) {
            atomic_fetch_sub(&crew->working, 1);
            break;
        }
        begun++;
    }
    if (begun == 0) { return it_fail(IT_FAILED, "cannot start a thread"); }
    watch(crew, bytes);
    for (size_t i = 0; i < begun; i++) { pthread_join(thread[i], NULL); }
    if (it_interrupted()) { return IT_INTERRUPTED; }
    enum it_status status = (enum it_status)atomic_load(&crew->status);
    if (status == IT_FAILED) {
        it_fail(status,
                "%s: %d of %zu files did not come; the same command fetches what is missing",
                crew->hub->options->repo_id, atomic_load(&crew->failed), crew->n);
    }
    return status;
}

/* ---- room ---- */

/* Sizes are what the hub says: the sum stops at the largest number. */
static int64_t add_sizes(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static enum it_status look_for_room(const struct it_pull_hub *hub,
                                    const struct it_pull_place *place,
                                    const struct it_pull_list *list, int64_t *bytes_out)
{
    struct statvfs disk;
    int64_t bytes = 0, missing = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct it_pull_file *file = &list->file[i];
        if (file->size < 0) { continue; }
        bytes = add_sizes(bytes, file->size);
        missing = add_sizes(missing, file->size - it_pull_held(hub, place, file));
    }
    *bytes_out = bytes;
    if (statvfs(place->root, &disk) != 0) { return IT_OK; }
    uint64_t room = (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize;
    if ((uint64_t)missing <= room) { return IT_OK; }
    char want[24], have[24];
    it_format_size(missing, want, sizeof want);
    it_format_size(room > INT64_MAX ? INT64_MAX : (int64_t)room, have, sizeof have);
    return it_fail(IT_IO,
                   "%s: %s are to be fetched, there is room for %s: free some, or set "
                   "HF_HUB_CACHE to a folder on another disk",
                   place->root, want, have);
}

/* ---- all of it ---- */

static enum it_status fetch_all(const struct it_pull_hub *hub, const struct it_pull_place *place,
                                struct it_pull_list *list, struct it_pulled *pulled)
{
    struct crew crew = {.hub = hub, .place = place, .n = list->n};
    int64_t bytes;
    IT_TRY(look_for_room(hub, place, list, &bytes));
    it_info("%s: %zu files, %.1f MB, at commit %.12s", hub->options->repo_id, list->n,
            (double)bytes / MEGABYTE, hub->commit);
    crew.order = it_calloc(list->n, sizeof *crew.order);
    for (size_t i = 0; i < list->n; i++) { crew.order[i] = &list->file[i]; }
    qsort(crew.order, list->n, sizeof *crew.order, compare_size);
    enum it_status status = run_crew(&crew, bytes);
    it_free(crew.order);
    pulled->fetched_bytes = atomic_load(&crew.fetched);
    if (status == IT_OK) { status = it_pull_set_ref(hub, place); }
    return status;
}

static enum it_status check(const struct it_pull_options *o)
{
    if (!it_hub_is_id(o->repo_id)) {
        return it_fail(IT_INVALID,
                       "\"%s\": expected the name of a repository, as Qwen/Qwen2.5-1.5B",
                       o->repo_id);
    }
    if (o->revision && !it_hub_is_revision(o->revision)) {
        return it_fail(IT_INVALID, "revision \"%s\": expected a branch, a tag or a commit",
                       o->revision);
    }
    if (o->jobs < 1 || o->jobs > MOST_JOBS) {
        return it_fail(IT_INVALID, "%d jobs: expected 1 to %d", o->jobs, MOST_JOBS);
    }
    if (o->tries < 1) { return it_fail(IT_INVALID, "%d tries: expected 1 or more", o->tries); }
    return IT_OK;
}

static enum it_status list_files(struct it_pull_hub *hub, struct it_pull_list *list)
{
    struct it_http *http = NULL;
    IT_TRY(it_http_open(&http));
    enum it_status status = it_pull_list_fetch(hub, http, list);
    it_http_close(http);
    if (status == IT_OK) { status = it_pull_select(hub, list); }
    return status;
}

enum it_status it_pull(const struct it_pull_options *options, struct it_pulled *pulled_out)
{
    struct it_pull_hub hub = {0};
    struct it_pull_place place = {0};
    struct it_pull_list list = {0};
    struct it_pulled pulled = {0};
    enum it_status status;
    IT_TRY(check(options));
    IT_TRY(it_pull_hub_open(options, &hub));
    IT_TRY_GOTO(status, done, list_files(&hub, &list));
    IT_TRY_GOTO(status, done, it_pull_place_open(&hub, &place));
    IT_TRY_GOTO(status, done, fetch_all(&hub, &place, &list, &pulled));
    pulled.folder = it_strdup(place.folder);
    pulled.commit = it_strdup(hub.commit);
    pulled.file = list.file;
    pulled.n = list.n;
    for (size_t i = 0; i < list.n; i++) { pulled.bytes += list.file[i].size; }
    list = (struct it_pull_list){0};
    *pulled_out = pulled;
done:
    it_pull_list_free(&list);
    it_pull_place_close(&place);
    it_pull_hub_close(&hub);
    return status;
}

void it_pulled_free(struct it_pulled *pulled)
{
    struct it_pull_list list = {.file = pulled->file, .n = pulled->n};
    it_pull_list_free(&list);
    it_free(pulled->folder);
    it_free(pulled->commit);
    *pulled = (struct it_pulled){0};
}
