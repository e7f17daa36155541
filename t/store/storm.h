
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

#define STORM_NEVER   INT64_MAX


typedef struct {
    ngx_uint_t      hosts;
    ngx_uint_t      minutes;
    ngx_uint_t      rate;           /* requests in a window, at ilert and */
                                    /* of ours */
    ngx_uint_t      reserve;        /* of ours, for what is urgent */
    ngx_uint_t      foreign;        /* of others, first in each window */
    ngx_uint_t      probes;         /* other hosts, after these: each one */
                                    /* fails at its time, for ten minutes */
    int64_t         probe_at;       /* the first one */
    int64_t         probe_every;
    ngx_uint_t      stay;           /* percent of the hosts that stay bad */
    ngx_uint_t      strict;         /* 1: nothing urgent may wait while */
                                    /* there is a request for it */
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


/* what is shown of a host from that time on, 0 is nothing */

typedef struct {
    int64_t         time;
    uint32_t        host;
    uint32_t        level;
} seen_t;

typedef struct {
    int64_t         changed;        /* shown at all, or no longer */
    uint32_t        resolved;       /* by this webhook, and one */
    uint32_t        seen;           /* level */
    uint32_t        listed;         /* level, in the digest */
    uint32_t        lists;
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
    ngx_uint_t      digests;        /* events of digests */
    ngx_uint_t      pages;          /* people that were called: alerts that */
                                    /* were opened, but with LOW */
    ngx_uint_t      repeats;        /* taken, and nothing has changed */
    ngx_uint_t      phantoms;       /* ALERTs after a later RESOLVE, and */
                                    /* hosts of which it shows at the end */
                                    /* what is not so */
    ngx_uint_t      wrong;          /* these */
    ngx_uint_t      bad;            /* hosts that are so at the end */
    ngx_uint_t      lost;           /* events that the sender gave up */
    int64_t         first;          /* time when the last host was shown to */
                                    /* be CRITICAL for the first time */
    int64_t         slowest;        /* from when a host was CRITICAL till */
                                    /* ilert knew, at most */
    int64_t         truth;          /* from the last recovery till ilert */
                                    /* shows the truth for good */

    /*
     * From a host's first CRITICAL till it was shown, or named by a digest:
     * half of the hosts, and all; and the same of the probes.
     */

    int64_t         median;
    int64_t         worst;
    int64_t         probe_median;
    int64_t         probe_worst;

    int64_t         failed;         /* when the last host has failed */
    int64_t         known;          /* when something was shown of all */

    /* ms of hosts that were CRITICAL and not shown, or shown and OK */

    int64_t         missing;
    int64_t         nothing;

    seen_t         *seen;
    ngx_uint_t      nseen;
    int64_t        *times;          /* of requests */
    unsigned        digest:1;       /* it is open */
} ilert_t;


void storm_begin(storm_t *storm, storm_conf_t *conf);
/* one without webhooks, which are added in any order, and then sorted */
void storm_empty(storm_t *storm, storm_conf_t *conf);
void storm_add(storm_t *storm, int64_t time, ngx_uint_t host,
    ngx_uint_t level);
/* it fails, stays so, and recovers */
void storm_fail(storm_t *storm, ngx_uint_t host, ngx_uint_t level,
    int64_t from, int64_t to);
void storm_sort(storm_t *storm);
void storm_free(storm_t *storm);

void ilert_begin(ilert_t *ilert, storm_t *storm);
/* 1: taken, 0: limited */
ngx_uint_t ilert_request(ilert_t *ilert, ngx_uint_t webhook, int64_t time);
/* the same of an ALERT or a RESOLVE, with a priority or without */
ngx_uint_t ilert_event(ilert_t *ilert, ngx_uint_t webhook, ngx_uint_t type,
    ngx_uint_t low, int64_t time);
/* the same of an event of the digest, which lists hosts */
ngx_uint_t ilert_digest(ilert_t *ilert, ngx_str_t *body, ngx_uint_t type,
    ngx_uint_t low, int64_t time);
/* the most requests that came within so many ms */
ngx_uint_t ilert_most(ilert_t *ilert, int64_t window);
/* nothing more comes: the rest of its figures */
void ilert_end(ilert_t *ilert);
void ilert_free(ilert_t *ilert);

/* how long a request takes, which is by itself and the seed */
int64_t storm_trip(storm_t *storm, ngx_uint_t request);


/* senders: each one runs to its end, and ilert has the figures */

void send_naive(ilert_t *ilert);
void send_agent(ilert_t *ilert);
void send_store(ilert_t *ilert, ngx_http_ilert_policy_t *policy);
/* what a source wants, with that "coalesce" and no digest */
ngx_http_ilert_policy_t *storm_policy(ngx_uint_t coalesce);
/* "latest" with a digest, and a "resolve_delay" in ms */
ngx_http_ilert_policy_t *storm_digest(ngx_uint_t n, ngx_uint_t members,
    int64_t delay);

/* storm_best.c */
void send_best_latest(ilert_t *ilert);
void send_best_repeats(ilert_t *ilert);
void bound_latest(ilert_t *ilert);
void bound_repeats(ilert_t *ilert);


/* storm_waits.c: how long a CRITICAL waits, and what flaps cost */
void storm_waits(void);


#endif /* _STORM_H_INCLUDED_ */
