
/*
 * The backend in memory, see null.h: transactions, their journal, and what may
 * be wrong.
 */


#include "null_kept.h"


/* what an estimate of bytes is rounded to, and what nothing takes */

#define NULL_PAGE     4096
#define NULL_EMPTY    (16 * NULL_PAGE)

/* pages of max_size, at most an eighth, that are not for accepts */

#define NULL_RESERVE  256

/* pages that there must be for the store to be no longer full */

#define NULL_MARGIN   64


static null_t      *null_all;

/* faults that are to happen */

static ngx_uint_t   null_first;
static ngx_uint_t   null_last;
static ngx_uint_t   null_kind;
static ngx_uint_t   null_calls;
static ngx_uint_t   null_hits;


/* the journal */

static void *
null_allocate(size_t size)
{
    void  *p;

    p = calloc(1, size ? size : 1);

    if (p == NULL) {
        abort();
    }

    return p;
}


void
null_note(null_t *n, void *address, size_t size)
{
    null_note_t  *note;

    note = null_allocate(sizeof(null_note_t) + size);

    note->address = address;
    note->size = size;
    memcpy(note->bytes, address, size);

    note->next = n->notes;
    n->notes = note;
}


static void
null_push(null_piece_t **list, void *data)
{
    null_piece_t  *piece;

    piece = null_allocate(sizeof(null_piece_t));

    piece->data = data;
    piece->next = *list;
    *list = piece;
}


/* memory that a rollback frees, and memory that the commit frees */

void *
null_new(null_t *n, size_t size)
{
    void  *p;

    p = null_allocate(size);
    null_push(&n->added, p);

    return p;
}


void
null_free(null_t *n, void *data)
{
    if (data) {
        null_push(&n->removed, data);
    }
}


static void
null_free_pieces(null_piece_t **list, ngx_uint_t with)
{
    null_piece_t  *piece;

    while ((piece = *list)) {
        *list = piece->next;

        if (with) {
            free(piece->data);
        }

        free(piece);
    }
}


static void
null_end(null_t *n, ngx_uint_t undo)
{
    null_note_t  *note;

    while ((note = n->notes)) {
        n->notes = note->next;

        if (undo) {
            memcpy(note->address, note->bytes, note->size);
        }

        free(note);
    }

    null_free_pieces(&n->added, undo);
    null_free_pieces(&n->removed, !undo);

    n->begun = 0;
}


/* changes of what is kept, which a rollback undoes */

void
null_add(null_t *n, int64_t bytes)
{
    null_set(n, n->bytes, n->bytes + bytes);
}


void
null_insert_after(null_t *n, ngx_queue_t *at, ngx_queue_t *q)
{
    null_note(n, at, sizeof(ngx_queue_t));
    null_note(n, ngx_queue_next(at), sizeof(ngx_queue_t));
    null_note(n, q, sizeof(ngx_queue_t));

    ngx_queue_insert_after(at, q);
}


void
null_remove(null_t *n, ngx_queue_t *q)
{
    null_note(n, ngx_queue_prev(q), sizeof(ngx_queue_t));
    null_note(n, ngx_queue_next(q), sizeof(ngx_queue_t));

    /* its own links stay as they are, and are needed by nobody */

    ngx_queue_next(q)->prev = ngx_queue_prev(q);
    ngx_queue_prev(q)->next = ngx_queue_next(q);
}


void
null_copy(null_t *n, ngx_str_t *to, ngx_str_t *from)
{
    ngx_str_t  copy;

    copy.len = from->len;
    copy.data = null_new(n, from->len);

    if (from->len) {
        memcpy(copy.data, from->data, from->len);
    }

    null_free(n, to->data);
    null_set(n, *to, copy);
}


/* what is copied to the work; never NULL, even if it is empty */

ngx_int_t
null_give(ngx_http_ilert_store_work_t *work, ngx_str_t *to, ngx_str_t *from)
{
    to->len = from->len;
    to->data = ngx_pnalloc(work->pool, from->len + 1);

    if (to->data == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (from->len) {
        memcpy(to->data, from->data, from->len);
    }

    return NGX_OK;
}


ngx_uint_t
null_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && (one->len == 0 || memcmp(one->data, two->data, one->len) == 0);
}


int
null_compare(ngx_str_t *one, ngx_str_t *two)
{
    int  rc;

    rc = memcmp(one->data ? one->data : (u_char *) "",
                two->data ? two->data : (u_char *) "",
                ngx_min(one->len, two->len));

    return rc ? rc : (one->len > two->len) - (one->len < two->len);
}


ngx_uint_t
null_hash(ngx_str_t *key)
{
    size_t      i;
    ngx_uint_t  hash;

    hash = 0;

    for (i = 0; i < key->len; i++) {
        hash = ngx_hash(hash, key->data[i]);
    }

    return hash % NULL_BUCKETS;
}


/* transactions */

static void
null_create(ngx_http_ilert_store_t *store)
{
    null_t  *n;

    if (store->private) {
        return;
    }

    for (n = null_all; n; n = n->next) {
        if (null_same(&n->path, &store->path)) {
            store->private = n;
            return;
        }
    }

    n = null_allocate(sizeof(null_t));

    n->path.len = store->path.len;
    n->path.data = null_allocate(store->path.len);
    memcpy(n->path.data, store->path.data, store->path.len);

    ngx_queue_init(&n->sources);
    ngx_queue_init(&n->budgets);
    ngx_queue_init(&n->alerts);
    ngx_queue_init(&n->busy);
    ngx_queue_init(&n->letters);
    ngx_queue_init(&n->refused);
    ngx_queue_init(&n->heard);
    ngx_queue_init(&n->topics);
    ngx_queue_init(&n->silences);
    ngx_queue_init(&n->digests);

    n->total.epoch = 1;
    n->next_seq = 1;
    n->next_alert = 1;
    n->next_source = 1;
    n->next_budget = 1;
    n->next_refused = 1;
    n->next_topic = 1;
    n->next_silence = 1;

    n->next = null_all;
    null_all = n;

    store->private = n;
}


static ngx_int_t
null_lock(ngx_http_ilert_store_t *store)
{
    null_create(store);

    return NGX_OK;
}


static void
null_unlock(ngx_http_ilert_store_t *store)
{
}


static void
null_close(ngx_http_ilert_store_t *store)
{
    store->private = NULL;
    store->open = 0;
}


static ngx_int_t
null_open(ngx_http_ilert_store_t *store, int64_t now)
{
    null_create(store);

    if (store->private->total.made == 0) {
        store->private->total.made = now;
        store->private->total.doubted = now;
    }

    store->open = 1;

    return NGX_OK;
}


static ngx_int_t
null_begin(ngx_http_ilert_store_work_t *work)
{
    null_t          *n;
    null_session_t  *s;

    if (!work->reading) {
        (void) null_open(work->store, work->now);

    } else if (!work->store->open) {
        work->store->fault = NGX_HTTP_ILERT_STORE_OTHER;
        return NGX_ERROR;
    }

    n = null_of(work);

    n->begun = 1;

    work->total = n->total;
    work->saved = n->total;

    work->has_session = 0;
    work->others = 0;

    for (s = n->sessions; s; s = s->next) {
        if (s->id == work->session) {
            work->has_session = 1;

        } else {
            work->others = 1;
        }
    }

    work->next_seq = n->next_seq;
    work->next_alert = n->next_alert;
    work->next_source = n->next_source;
    work->next_budget = n->next_budget;

    return NGX_OK;
}


/* begin() has set them */

static ngx_int_t
null_numbers(ngx_http_ilert_store_work_t *work)
{
    return NGX_OK;
}


static ngx_int_t
null_commit(ngx_http_ilert_store_work_t *work)
{
    if (null_fails(work)) {
        return NGX_ERROR;
    }

    null_end(null_of(work), 0);

    return NGX_OK;
}


static void
null_rollback(ngx_http_ilert_store_work_t *work)
{
    if (null_of(work)) {
        null_end(null_of(work), 1);
    }
}


void
null_forget(ngx_str_t *path)
{
    null_t          *n, **p;
    ngx_queue_t     *q, *e;
    null_alert_t    *alert;
    null_event_t    *ev;
    null_budget_t   *budget;
    null_letter_t   *letter;
    null_refused_t  *refused;
    null_source_t   *source;
    null_session_t  *s;

    for (p = &null_all; *p && !null_same(&(*p)->path, path); p = &(*p)->next) {
        /* void */
    }

    n = *p;

    if (n == NULL) {
        return;
    }

    *p = n->next;

    null_end(n, 1);

    while (!ngx_queue_empty(&n->alerts)) {
        q = ngx_queue_head(&n->alerts);
        ngx_queue_remove(q);
        alert = ngx_queue_data(q, null_alert_t, queue);

        while (!ngx_queue_empty(&alert->events)) {
            e = ngx_queue_head(&alert->events);
            ngx_queue_remove(e);
            ev = ngx_queue_data(e, null_event_t, queue);
            free(ev->kept.body.data);
            free(ev);
        }

        free(alert->key.data);
        free(alert->alert_key.data);
        free(alert->summary.data);
        free(alert);
    }

    while (!ngx_queue_empty(&n->letters)) {
        q = ngx_queue_head(&n->letters);
        ngx_queue_remove(q);
        letter = ngx_queue_data(q, null_letter_t, queue);
        free(letter->kept.key.data);
        free(letter->kept.error.data);
        free(letter->kept.body.data);
        free(letter);
    }

    while (!ngx_queue_empty(&n->refused)) {
        q = ngx_queue_head(&n->refused);
        ngx_queue_remove(q);
        refused = ngx_queue_data(q, null_refused_t, queue);
        free(refused->kept.from.data);
        free(refused->kept.location.data);
        free(refused->kept.error.data);
        free(refused->kept.body.data);
        free(refused);
    }

    while (!ngx_queue_empty(&n->sources)) {
        q = ngx_queue_head(&n->sources);
        ngx_queue_remove(q);
        source = ngx_queue_data(q, null_source_t, queue);
        free(source->counted.name.data);
        free(source);
    }

    while (!ngx_queue_empty(&n->budgets)) {
        q = ngx_queue_head(&n->budgets);
        ngx_queue_remove(q);
        budget = ngx_queue_data(q, null_budget_t, queue);
        free(budget->name.data);
        free(budget->at);
        free(budget);
    }

    while ((s = n->sessions)) {
        n->sessions = s->next;
        free(s);
    }

    null_free_heard(n);
    null_free_digests(n);

    free(n->path.data);
    free(n);
}


/* what may be wrong */

void
null_fault(ngx_uint_t n, ngx_uint_t fault, ngx_uint_t more)
{
    null_first = n;
    null_last = n + more;
    null_kind = fault;
    null_calls = 0;
    null_hits = 0;
}


ngx_uint_t
null_failed(void)
{
    return null_hits;
}


/* something has been changed, and that is to fail now */

ngx_uint_t
null_fails(ngx_http_ilert_store_work_t *work)
{
    if (null_first == 0 || null_of(work)->notes == NULL) {
        return 0;
    }

    null_calls++;

    if (null_calls < null_first || null_calls > null_last) {
        return 0;
    }

    null_hits++;
    work->store->fault = null_kind;

    return 1;
}


int64_t
null_used(null_t *n)
{
    return NULL_EMPTY + (n->bytes + NULL_PAGE - 1) / NULL_PAGE * NULL_PAGE;
}


/* bytes that accepts may use; max_size is not 0 */

int64_t
null_limit(ngx_http_ilert_store_t *store)
{
    int64_t  pages;

    pages = store->max_size / NULL_PAGE;

    return (pages - ngx_min(pages / 8, NULL_RESERVE)) * NULL_PAGE;
}


static ngx_int_t
null_size(ngx_http_ilert_store_work_t *work, int64_t *bytes)
{
    *bytes = null_used(null_of(work));

    return NGX_OK;
}


static ngx_uint_t
null_has_room(ngx_http_ilert_store_t *store, size_t size)
{
    int64_t  limit;

    if (store->max_size == 0) {
        return 1;
    }

    limit = null_limit(store);

    return null_used(store->private) + (int64_t) size
           + ngx_min(limit / 16, NULL_MARGIN * NULL_PAGE)
           < limit;
}


static ngx_uint_t
null_mend(ngx_http_ilert_store_t *store, int64_t now)
{
    return 0;
}


static void
null_give_up(ngx_http_ilert_store_t *store)
{
}


static void
null_report(ngx_http_ilert_store_t *store)
{
    if (store->fault == NGX_HTTP_ILERT_STORE_NO_SIZE) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;
        (void) snprintf(store->error, sizeof(store->error),
                        "the memory has reached max_size");
        return;
    }

    if (store->fault == NGX_HTTP_ILERT_STORE_NO_DISK) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;
        (void) snprintf(store->error, sizeof(store->error), "no memory left");
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_FAILED;
    (void) snprintf(store->error, sizeof(store->error), "out of memory");
}


static void
null_no_memory(ngx_http_ilert_store_t *store)
{
    store->fault = NGX_HTTP_ILERT_STORE_OTHER;
}


static void
null_trust(ngx_http_ilert_store_t *store, ngx_uint_t reading, ngx_int_t rc,
    int64_t now)
{
}


static void
null_verify(ngx_http_ilert_store_t *store, int64_t now)
{
}


static ngx_uint_t
null_ask(ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job)
{
    return 0;
}


static ngx_uint_t
null_lead(ngx_http_ilert_store_job_t *job)
{
    return 1;
}


static ngx_int_t
null_next_source(ngx_http_ilert_store_t *store, ngx_str_t *name, size_t size)
{
    null_t         *n;
    ngx_queue_t    *q, *a;
    null_alert_t   *alert;
    null_source_t  *source;

    n = store->private;

    if (n == NULL) {
        return NGX_DECLINED;
    }

    null_each(q, &n->sources) {
        source = ngx_queue_data(q, null_source_t, queue);

        if (source->counted.name.len > size
            || null_compare(&source->counted.name, name) <= 0)
        {
            continue;
        }

        null_each(a, &n->busy) {
            alert = ngx_queue_data(a, null_alert_t, busy);

            if (alert->row.source == source->counted.id) {
                name->len = source->counted.name.len;
                memcpy(name->data, source->counted.name.data, name->len);
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


ngx_http_ilert_backend_t  ngx_http_ilert_null = {
    .lock = null_lock,
    .unlock = null_unlock,
    .close = null_close,
    .open = null_open,
    .begin = null_begin,
    .numbers = null_numbers,
    .commit = null_commit,
    .rollback = null_rollback,
    .source = null_source,
    .fund = null_fund,
    .slots = null_slots,
    .alert = null_alert,
    .alert_of_id = null_get_alert,
    .edges = null_edges,
    .save = null_save,
    .alerts = null_alerts,
    .events = null_events,
    .count = null_count,
    .next_waiting = null_next_waiting,
    .alert_of_head = null_alert_of_head,
    .move = null_move,
    .others = null_others,
    .letters = null_letters,
    .refused = null_refused,
    .heard = null_heard,
    .heard_of = null_heard_of,
    .topics = null_topics,
    .silences = null_silences,
    .digests = null_digests,
    .bad = null_bad,
    .sources = null_sources,
    .oldest = null_oldest,
    .due = null_due,
    .retries = null_retries,
    .tidy = null_tidy,
    .size = null_size,
    .has_room = null_has_room,
    .mend = null_mend,
    .give = null_give_up,
    .report = null_report,
    .no_memory = null_no_memory,
    .trust = null_trust,
    .verify = null_verify,
    .ask = null_ask,
    .lead = null_lead,
    .next_source = null_next_source
};
