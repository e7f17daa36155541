
#ifndef _MODEL_H_INCLUDED_
#define _MODEL_H_INCLUDED_


#define MODEL_KEYS    32
#define MODEL_EVENTS  2000


typedef struct {
    uint32_t       key;
    uint32_t       number;
    unsigned char  offered;         /* to the store */
    unsigned char  acknowledged;
    unsigned char  refused;
    unsigned char  sent;            /* done, or a dead letter */
    unsigned char  gone;            /* and that is on disk */
} model_event_t;

typedef struct {
    uint32_t       n;
    uint32_t       last;            /* taken */
    unsigned char  busy;
    model_event_t  events[MODEL_EVENTS];
} model_key_t;

typedef struct {
    ngx_queue_t    held;            /* taken by this process */
    unsigned char  doubt;           /* a refused event may come back */
    unsigned char  release;         /* what waits for that is to be released */
    model_key_t    keys[MODEL_KEYS];
} model_t;


model_t *model_new(void);
void model_reset(model_t *m);

/* an event of a random key of some, to the job */
void model_accept(test_t *t, model_t *m, ngx_uint_t key);

/*
 * A job with so many accepts, and with takes and verdicts at random: takes 0
 * is of a process that is not the courier.
 */
void model_step(test_t *t, model_t *m, ngx_uint_t first, ngx_uint_t nkeys,
    ngx_uint_t accepts, ngx_uint_t takes);

void model_waits(model_t *m, event_t *ev);

/* the courier has died */
void model_crash(test_t *t, model_t *m);

/*
 * Another process goes on.  If the last COMMIT has failed, because the disk
 * did not say that all was on it, it may be on it all the same.
 */
void model_close(test_t *t, model_t *m);

/* all that is left goes, and is checked */
void model_end(test_t *t, model_t *m);

ngx_uint_t model_count(model_t *m);


#endif /* _MODEL_H_INCLUDED_ */
