
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DIGEST_H_INCLUDED_
#define _NGX_HTTP_ILERT_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_rules.h"


/*
 * The rules of a digest, as pure functions: docs/design.md, "Digest".  In
 * a storm one alert of ours lists those of a source, so that people are called
 * once.  Times are wall clock in milliseconds.
 */


/* ms: openings are counted for so long, and an end has to last so long */

#define NGX_HTTP_ILERT_DIGEST_WINDOW   60000
#define NGX_HTTP_ILERT_DIGEST_CALM     120000

/*
 * Events that name a CRITICAL at once: so many in a row, and one more each so
 * many ms.
 */

#define NGX_HTTP_ILERT_DIGEST_TOKENS   3
#define NGX_HTTP_ILERT_DIGEST_TOKEN    5000

/* requests of each window that are kept for a digest and for strangers */

#define NGX_HTTP_ILERT_DIGEST_KEPT     10


/* bits of "urgent" */

#define NGX_HTTP_ILERT_DIGEST_UNNAMED  1    /* a CRITICAL is not named yet */
#define NGX_HTTP_ILERT_DIGEST_HIGH     2    /* it has, or had, something to */
                                            /* page for */
#define NGX_HTTP_ILERT_DIGEST_LOUD     4    /* or something that is not LOW */


/* the state of a source's digest, which is kept */

typedef struct {
    int64_t                     opened;     /* since when it is open, or 0 */
    int64_t                     changed;    /* time of the first change that */
                                            /* no event of it has told, or 0 */
    int64_t                     told;       /* when its last event was made */
    int64_t                     calm;       /* since when it could end, or 0 */
    int64_t                     refilled;   /* when "tokens" was right */
    int64_t                     tokens;
    int64_t                     urgent;     /* bits, see above */

    /* when alerts opened by themselves, in ascending order */

    ngx_uint_t                  nalone;
    int64_t                     alone[NGX_HTTP_ILERT_DIGEST_MAX];
} ngx_http_ilert_digest_t;


/*
 * "named" of an alert's record says which digest has named it last, by the
 * time of its opening, and with which level.  So nothing need be written when
 * a digest ends.  named_as() makes it; named() returns the level, or 0 if the
 * digest is not open, or has not named the alert.
 */
int64_t ngx_http_ilert_digest_named_as(ngx_http_ilert_digest_t *digest,
    ngx_uint_t level);
ngx_uint_t ngx_http_ilert_digest_named(ngx_http_ilert_digest_t *digest,
    int64_t named);

/*
 * Forgets openings that are too long ago.  Times in the future become now, but
 * for "opened".
 */
void ngx_http_ilert_digest_expire(ngx_http_ilert_digest_t *digest,
    int64_t now);

/*
 * An ALERT opens or raises an alert: "named" is 1 if the open digest has named
 * it before.  Returns 1 if it is to go by itself, which is noted; otherwise
 * the digest lists it, and is opened if it was not.
 */
ngx_uint_t ngx_http_ilert_digest_alone(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, ngx_uint_t named, int64_t now);

/*
 * Notes a change of what an open digest lists; "urgent" has bits that are set,
 * .._UNNAMED if it is a CRITICAL that the digest has not named.
 */
void ngx_http_ilert_digest_change(ngx_http_ilert_digest_t *digest,
    ngx_uint_t urgent, int64_t now);

/*
 * Returns 1 if an event of the open digest is to be made now; otherwise sets
 * "until" to the time when it is, or to 0 if there is nothing to tell.
 */
ngx_uint_t ngx_http_ilert_digest_due(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, int64_t now, int64_t *until);

/* An event has been made, which tells all changes. */
void ngx_http_ilert_digest_told(ngx_http_ilert_digest_t *digest, int64_t now);

/*
 * Returns 1 if the open digest ends now: "left" is the number of alerts that
 * are bad and that only it shows, with members=none, or that wait to be
 * opened.  Otherwise sets "until" to the time when it may, or to 0.
 */
ngx_uint_t ngx_http_ilert_digest_ends(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, int64_t left, int64_t now,
    int64_t *until);


/* Returns 1 if the folded alert key is that of a digest. */
ngx_uint_t ngx_http_ilert_digest_is_key(ngx_str_t *key);


#endif /* _NGX_HTTP_ILERT_DIGEST_H_INCLUDED_ */
