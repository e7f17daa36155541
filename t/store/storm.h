
#ifndef _STORM_H_INCLUDED_
#define _STORM_H_INCLUDED_


#include "store_test.h"


/*
 * A storm of webhooks, and an ilert that limits.  Times are milliseconds from
 * the beginning of the storm.
 */

#define STORM_WINDOW  (60 * SECOND)
#define STORM_EVERY   (10 * SECOND)
#define STORM_REPEAT  (300 * SECOND)

/* to ilert and back: that of a request is by the seed, about so much */

#define STORM_TRIP    100


typedef struct {
    ngx_uint_t      hosts;
    ngx_uint_t      minutes;
    ngx_uint_t      rate;           /* requests in a window, at ilert and */
                                    /* of ours */
    ngx_uint_t      foreign;        /* of others, first in each window */
    int64_t         phase;          /* when a window of ilert's begins */
    uint32_t        seed;

    /* of our sender; 0: never */

    int64_t         crash;          /* when it is killed, and begins again */
    int64_t         jump_at;        /* when its clock is set */
    int64_t         jump;
} storm_conf_t;


typedef struct {
    int64_t         time;
    uint32_t        host;
    uint32_t        level;
    int64_t         since;          /* Kapacitor has said so */
} webhook_t;

typedef struct {
    storm_conf_t    conf;
    webhook_t      *webhooks;       /* by time */
    ngx_uint_t      n;
    ngx_uint_t      changes;        /* those that change a host's level */
    int64_t         end;            /* the last one, a recovery */
} storm_t;


typedef struct {
    int64_t         changed;        /* opened, or resolved */
    uint32_t        resolved;       /* by this webhook, and one */
    unsigned        open:1;
    unsigned        was_critical:1;
    unsigned        level:2;
} shown_host_t;

typedef struct {
    storm_t        *storm;
    shown_host_t   *hosts;
    uint16_t       *used;           /* of each window */
    ngx_uint_t      nwindows;

    ngx_uint_t      requests;
    ngx_uint_t      limited;        /* answered 429 */
    ngx_uint_t      repeats;        /* taken, and nothing has changed */
    ngx_uint_t      phantoms;       /* ALERTs after a later RESOLVE, and */
                                    /* alerts that stay open */
    ngx_uint_t      lost;           /* events that the sender gave up */
    int64_t         first;          /* time when the last host was shown to */
                                    /* be CRITICAL for the first time */
    int64_t         slowest;        /* from when a host was CRITICAL till */
                                    /* ilert knew, at most */
    int64_t         truth;          /* from the last recovery till ilert */
                                    /* shows the truth for good */
} ilert_t;


void storm_begin(storm_t *storm, storm_conf_t *conf);
void storm_free(storm_t *storm);

void ilert_begin(ilert_t *ilert, storm_t *storm);
/* 1: taken, 0: limited */
ngx_uint_t ilert_request(ilert_t *ilert, ngx_uint_t webhook, int64_t time);
/* nothing more comes: the rest of its figures */
void ilert_end(ilert_t *ilert);
void ilert_free(ilert_t *ilert);

/* how long a request takes, which is by itself and the seed */
int64_t storm_trip(storm_t *storm, ngx_uint_t request);


/* senders: each one runs to its end, and ilert has the figures */

void send_naive(ilert_t *ilert);
void send_agent(ilert_t *ilert);
void send_store(ilert_t *ilert, ngx_uint_t coalesce);

/* storm_best.c */
void send_best_latest(ilert_t *ilert);
void send_best_repeats(ilert_t *ilert);
void bound_latest(ilert_t *ilert);
void bound_repeats(ilert_t *ilert);


#endif /* _STORM_H_INCLUDED_ */
