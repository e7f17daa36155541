
/*
 * What becomes of the events of an alert.  A case is what happens in turn:
 *
 *     O I W C     an ALERT of the level OK, INFO, WARNING, or CRITICAL comes,
 *                 with "-" or "+" of priority LOW or HIGH, or with a digit
 *                 after "/": one that nothing will resolve, of that message
 *     R A M       a RESOLVE, an ACCEPT, a COMMENT
 *     n N         a webhook that is not OK comes, and the mapping ignores it;
 *                 the alert has begun now, or when the test did
 *     C*          an ALERT comes, whose alert has begun now
 *     t           what may go is under way
 *     d u a r m   its verdict: done; not sent; not before a second later; the
 *                 same, but ilert refused it, or may have it
 *     x           likewise: ilert has refused it, as it refuses no others
 *     .           all that may go is delivered, till none is left
 *     >n          n seconds go by
 *     K           what is under way is forgotten: another courier begins
 *     U           nothing is known of what ilert shows
 *     L           all that waits for a time is released
 *     D           the database is made, unless there is one
 *     P           the store is closed, and opened again
 *     F           an operator resumes the source
 *     E           an operator resolves the alert
 *     |           nothing, but it is noted in what ilert gets
 *
 * and what ilert gets: events as above, each with its number among those that
 * came; "^" is a RESOLVE that opens the alert again, "E" one of an operator.
 */


#include "kept.h"


typedef struct {
    const char  *happens;
    const char  *wanted;
} line_t;


static const line_t  off_cases[] = {
    { "C C C R R .", "C1 C2 C3 R4 R5" },
    { "C . C .", "C1 C2" },
    { "C . R . R .", "C1 R2 R3" },
    { "R R . C R . A A .", "R1 R2 C3 R4 A5 A6" },
    { "C t C R d .", "C1 C2 R3" },
    { "C t C K .", "C1 C1 C2" },
    { NULL, NULL }
};


static const line_t  repeats_cases[] = {

    /* what waits already: the newest content, in the old place */

    { "C C C .", "C3" },
    { "R R .", "R2" },
    { "R- R+ .", "R+2" },
    { "C W C .", "C1 W2 C3" },
    { "C C W W C .", "C2 W4 C5" },
    { "C R C R .", "C1 R2 C3 R4" },
    { "C C+ C+ C .", "C1 C+3 C4" },
    { "W W- .", "W1 W-2" },
    { "O O .", "O2" },
    { "O R .", "O1 R2" },

    /* what ilert shows: once, when it is time, with the newest content */

    { "C . C .", "C1" },
    { "C . C >299 .", "C1" },
    { "C . C >300 .", "C1 C2" },
    { "C . C C >200 C >100 .", "C1 C4" },
    { "C . C >300 . C >299 .", "C1 C2" },
    { "C . C >300 . C >300 .", "C1 C2 C3" },
    { "C . >400 C .", "C1 C2" },
    { "C+ . C+ >300 .", "C+1 C+2" },

    /* a change takes the place of what is held, and goes at once */

    { "C . C W .", "C1 W3" },
    { "C . C C+ .", "C1 C+3" },
    { "C . C R .", "C1 R3" },
    { "C . C R C .", "C1 R3 C4" },
    { "C . C W C .", "C1 W3 C4" },
    { "C . C >300 W .", "C1 W3" },
    { "C . C >300 R .", "C1 R3" },
    { "W . C . W . C .", "W1 C2 W3 C4" },

    /* and the time counts from the last that was told */

    { "W . >200 C . C >299 .", "W1 C2" },
    { "W . >200 C . C >300 .", "W1 C2 C3" },

    /* one RESOLVE, unless it is not known */

    { "R .", "R1" },
    { "R . R .", "R1" },
    { "C . R . R . R .", "C1 R2" },
    { "C . R . C . R .", "C1 R2 C3 R4" },
    { "C R .", "C1 R2" },

    /* what is no state, and what is beside it */

    { "A A M M .", "A1 A2 M3 M4" },
    { "C M C .", "C1 M2" },
    { "C M C >300 .", "C1 M2" },
    { "C M C . >300 .", "C1 M2 C3" },
    { "C . C M .", "C1 M3" },
    { "C . C >300 M .", "C1 M3" },
    { "C . M C .", "C1 M2" },
    { "C A R R .", "C1 A2 R4" },
    { "R A R .", "R1 A2" },

    /* under way: what comes is judged by its verdict */

    { "C t C d .", "C1" },
    { "C t C d . >300 .", "C1 C2" },
    { "C t C C d . >300 .", "C1 C3" },
    { "C t C u .", "C1 C1" },
    { "C t W d .", "C1 W2" },
    { "C t W C d .", "C1 W2 C3" },
    { "C t R d . R .", "C1 R2" },
    { "R t R d .", "R1" },
    { "R t C d .", "R1 C2" },
    { "R t R u .", "R1 R1" },
    { "C . R t C R d .", "C1 R2 C3 R4" },
    { "C t M C d .", "C1 M2" },

    /* tried again, what is newer goes in its place */

    { "C t a C >1 .", "C1 C2" },
    { "C t m C >1 .", "C1 C2" },
    { "C t r C >1 .", "C1 C2" },
    { "C t C a >1 .", "C1 C1" },
    { "C t C a >1 . >300 .", "C1 C1 C2" },
    { "C t R a >1 .", "C1 C1 R2" },
    { "C t a W >1 .", "C1 C1 W2" },
    { "C . W t a C >1 .", "C1 W2 W2 C3" },
    { "C t a C .", "C1" },

    /* ilert may have it */

    { "C . W t m W >1 .", "C1 W2 W3" },
    { "C . R t m R >1 .", "C1 R2 R3" },
    { "C . R t a R >1 .", "C1 R2 R3" },
    { "C . W t m C >1 .", "C1 W2 W2 C3" },
    { "C . C >300 t m C >1 .", "C1 C2 C3" },
    { "C . C >300 t r C >1 .", "C1 C2 C3" },

    /* a repeat, too, is sent again when ilert may have it, or may not */

    { "C . C >300 t m >1 .", "C1 C2 C2" },
    { "C . C >300 t r >1 .", "C1 C2 C2" },
    { "C . C >300 t u .", "C1 C2 C2" },
    { "C . C >300 t K .", "C1 C2 C2" },
    { "C . >300 C t K .", "C1 C2 C2" },

    /* another courier begins */

    { "C t K .", "C1 C1" },
    { "C t C K .", "C1 C1" },
    { "C t K C .", "C1 C2" },
    { "C . C K .", "C1" },
    { "C . C K >300 .", "C1 C2" },
    { "C . R t K R .", "C1 R2 R3" },
    { "C . R t K C .", "C1 R2 R2 C3" },

    /* nothing is known: nothing is a repeat, what was one is gone */

    { "C . U C .", "C1 C2" },
    { "C . C U >300 .", "C1" },
    { "C . C U C .", "C1 C3" },
    { "C . R . U R .", "C1 R2 R3" },
    { "C . C U R .", "C1 R3" },
    { "U C . C .", "C1" },
    { "U C R .", "C1 R2" },

    /* to be released early does not make it due */

    { "C . C L .", "C1" },
    { "C . C L . >300 .", "C1 C2" },
    { "C . C L . W .", "C1 W3" },
    { "C t a L .", "C1 C1" },

    { NULL, NULL }
};


/* what nothing will resolve, by "repeats" and by "latest" */

static const line_t  trap_cases[] = {

    /* each message is told, in order and at once, and each one once */

    { "C/1 C/2 C/3 .", "C1 C2 C3" },
    { "C/1 . C/2 . C/3 .", "C1 C2 C3" },
    { "C/1 . C/2 C/1 .", "C1 C2 C3" },
    { "C/1 W/1 C/1 .", "C1 W2 C3" },
    { "C/1 C/1 .", "C2" },
    { "C/1 C/2 C/2 .", "C1 C3" },
    { "C/1 . C/1 >299 .", "C1" },
    { "C/1 . C/1 >300 .", "C1 C2" },

    /* what is held was told */

    { "C/1 . C/1 C/2 .", "C1 C3" },
    { "C/1 . C/1 R .", "C1 R3" },
    { "C/1 . C/1 C/2 C/1 .", "C1 C3 C4" },

    /* under way, and tried again */

    { "C/1 t C/2 C/1 d .", "C1 C2 C3" },
    { "C/1 t C/1 d .", "C1" },
    { "C/1 t C/2 a >1 .", "C1 C1 C2" },
    { "C/1 t a C/2 >1 .", "C1 C1 C2" },
    { "C/1 . C/2 t K C/2 .", "C1 C2 C3" },

    /* what was resolved opens again */

    { "C/1 R .", "C1 R2" },
    { "C/1 . R . C/1 .", "C1 R2 C3" },
    { "R . C/1 R .", "R1 C2 R3" },

    { "C/1 . U C/1 .", "C1 C2" },
    { "C/1 M C/1 .", "C1 M2" },
    { "C/1 M C/2 .", "C1 M2 C3" },

    /* of one that something may resolve the message is of no matter */

    { "C . C/1 .", "C1 C2" },
    { "C/1 . C .", "C1" },
    { "C/1 W .", "C1 W2" },

    { NULL, NULL }
};


/* an ALERT after a RESOLVE that was not sent */

static const line_t  trap_repeats_cases[] = {
    { "C/1 R C/1 .", "C1 R2 C3" },
    { "C/1 . R C/1 .", "C1 R2 C3" },
    { "C C/1 .", "C1 C2" },
    { NULL, NULL }
};


static const line_t  trap_latest_cases[] = {
    { "C/1 R C/1 .", "C1" },
    { "C/1 . R C/1 .", "C1" },
    { "C/1 . R C/2 .", "C1 C3" },
    { "C . R C/1 .", "C1 C3" },
    { "W C/1 C/2 I W .", "C2 C3 W5" },
    { "C C/1 .", "C2" },
    { NULL, NULL }
};


static const line_t  latest_cases[] = {

    { "C C C .", "C3" },
    { "W C .", "C2" },
    { "C W .", "W2" },
    { "W C W .", "W3" },
    { "C C+ .", "C+2" },

    /* it never was, for ilert */

    { "R . C R .", "R1" },
    { "R . C R . C .", "R1 C4" },
    { "R . C R C .", "R1 C4" },
    { "R . C R C R .", "R1" },
    { "C . R . C R .", "C1 R2" },

    /* but ilert may show it: nobody knows what was told by an earlier queue */

    { "C R .", "R2" },
    { "C R . C R .", "R2" },
    { "C R C .", "C3" },
    { "C R C R .", "R4" },
    { "R .", "R1" },
    { "R C .", "C2" },
    { "R C R .", "R3" },
    { "C . R .", "C1 R2" },
    { "C . W R .", "C1 R3" },
    { "C . R C .", "C1" },
    { "C . R C . >300 .", "C1 C3" },
    { "C . R C >300 .", "C1 C3" },
    { "C . R W .", "C1 W3" },
    { "C . W C .", "C1" },
    { "C . W C R .", "C1 R4" },
    { "C . C R .", "C1 R3" },
    { "C . C W .", "C1 W3" },
    { "C . R . R .", "C1 R2" },

    /* repeats as with "repeats" */

    { "C . C .", "C1" },
    { "C . C C >300 .", "C1 C3" },

    /* under way */

    { "C t R d .", "C1 R2" },
    { "R . C t R u .", "R1 C2" },
    { "C t R u .", "C1 R2" },
    { "R . C t R m >1 .", "R1 C2 R3" },
    { "R . C t R a >1 .", "R1 C2" },
    { "C t R a >1 .", "C1 R2" },
    { "C t R C d .", "C1" },
    { "C t R W d .", "C1 W3" },
    { "C t W C d . >300 .", "C1 C3" },
    { "C t W C R d .", "C1 R4" },
    { "C . R t C d .", "C1 R2 C3" },
    { "C . R t C R d .", "C1 R2" },
    { "C . R t C m >1 .", "C1 R2 C3" },
    { "C t K R .", "C1 R2" },
    { "C t R K .", "C1 R2" },

    /* and tried again */

    { "R . C t a R >1 .", "R1 C2" },
    { "C t a R >1 .", "C1 R2" },
    { "R . C t m R >1 .", "R1 C2 R3" },
    { "C t a W >1 .", "C1 W2" },

    /* nothing is merged over these */

    { "C M R .", "C1 M2 R3" },
    { "C A C .", "C1 A2" },
    { "R . C R M .", "R1 M4" },
    { "C R M .", "R2 M3" },
    { "W C M W R .", "C2 M3 R5" },
    { "M C R .", "M1 R3" },
    { "M R .", "M1 R2" },

    /* nothing is known */

    { "U C R .", "R2" },
    { "C . C U R .", "C1 R3" },
    { "C U R .", "R2" },

    { NULL, NULL }
};


/* with "resolve_delay 2m" */

static const line_t  delay_off_cases[] = {
    { "C . R . >119 . | >1 .", "C1 | R2" },
    { "C . R C .", "C1 C3" },
    { "C R . | >120 .", "| R2" },
    { "C C R . | >120 .", "| R3" },
    { "C . C . R . | >120 . R .", "C1 C2 | R3" },
    { "R . C R .", "" },
    { "R >120 . C R .", "R1" },
    { "C t R C d .", "C1 C3" },
    { "C . R . | E .", "C1 | E" },
    { "C . E E . E .", "C1 E E" },
    { NULL, NULL }
};


static const line_t  delay_repeats_cases[] = {
    { "C . R . >119 . | >1 .", "C1 | R2" },
    { "C . R >60 R >59 . | >1 .", "C1 | R3" },
    { "C R . | >120 .", "| R2" },
    { "C W R . | >120 .", "| R3" },
    { "C . R . C W .", "C1 W4" },
    { "C . R . C . | >300 .", "C1 | C3" },
    { "C t R C d .", "C1" },
    { "C t R C W d .", "C1 W4" },
    { "C . R >120 C .", "C1" },
    { "C . R >120 t C d .", "C1 R2 C3" },
    { "C . R F C .", "C1 R2 C3" },
    { "C E .", "E" },
    { NULL, NULL }
};


static const line_t  delay_latest_cases[] = {
    { "C . R . >119 . | >1 .", "C1 | R2" },
    { "C . R | >120 .", "C1 | R2" },

    /* counted from the first one */

    { "C . R >60 R >59 . | >1 .", "C1 | R3" },
    { "C . R >60 R >60 R .", "C1 R4" },
    { "C . R >120 R .", "C1 R3" },
    { "C . R >60 C . R >119 . | >1 .", "C1 | R4" },
    { "C t R >60 d . | >59 . | >1 .", "C1 | | R2" },

    /* flaps */

    { "C . R C R C R C R C . | >300 .", "C1 | C9" },
    { "C . R . C . R . C . R . | >120 .", "C1 | R6" },
    { "C . R . W .", "C1 W3" },
    { "C . R . C+ .", "C1 C+3" },
    { "C t R C d .", "C1" },
    { "C t R C R d . | >120 .", "C1 | R4" },
    { "C R . | >120 .", "| R2" },
    { "R >120 . C R .", "R1" },
    { "C . R >120 t C d .", "C1 R2 C3" },
    { "C . R >120 . C R .", "C1 R2" },

    /* behind it others wait, and nothing goes before it */

    { "C . R M . | >120 .", "C1 | R2 M3" },
    { "C . R . A . C . | >120 .", "C1 | R2 A3 C4" },

    /* it stays held, whatever happens */

    { "C . R L . | >119 . | >1 .", "C1 | | R2" },
    { "C . R K . | >119 . | >1 .", "C1 | | R2" },
    { "C . R . U . | >120 .", "C1 | R2" },
    { "C . R . U C .", "C1 C3" },

    /* and is tried again when it has gone once */

    { "C . R >120 t a >1 .", "C1 R2 R2" },
    { "C . R >120 t u .", "C1 R2 R2" },
    { "C . R >120 t K .", "C1 R2 R2" },
    { "C . R >120 t m C >1 .", "C1 R2 C3" },
    { "C . R >120 t a R >1 .", "C1 R2 R3" },

    /* operators end it */

    { "C . R F .", "C1 R2" },
    { "C . R F R .", "C1 R3" },
    { "C . R F C .", "C1" },
    { "C . R F C . R . | >120 .", "C1 | R4" },
    { "C . R E .", "C1 E" },
    { "C . R . E C .", "C1 E C3" },
    { "C E .", "E" },
    { "C t E d .", "C1 E" },
    { "C . E R .", "C1 E" },
    { "C . E .", "C1 E" },
    { "E .", "E" },
    { "E . E .", "E E" },
    { "E E .", "E" },
    { "C . R >120 . E .", "C1 R2 E" },
    { "E t a C >1 .", "E E C1" },
    { "C . C E . C .", "C1 E C3" },
    { "R . >120 . E .", "R1 E" },

    /* nothing ends what nothing resolves, but its RESOLVE is held still */

    { "C/1 C/2 R . | >120 .", "C1 C2 | R3" },
    { "C/1 . R . C/1 .", "C1" },
    { "C/1 . R . C/2 .", "C1 C3" },

    { NULL, NULL }
};


static const line_t  raise_cases[] = {

    /* LOW, then what is to page */

    { "W- . C .", "W-1 ^ C2" },
    { "W- . C+ .", "W-1 ^ C+2" },
    { "W- . W+ .", "W-1 ^ W+2" },
    { "C- . C .", "C-1 ^ C2" },
    { "W- . U C .", "W-1 ^ C2" },

    /* or does not */

    { "W- . C- .", "W-1 C-2" },
    { "W- . W .", "W-1 W2" },
    { "W . C .", "W1 C2" },
    { "W- . R . C .", "W-1 R2 C3" },
    { "W- C .", "C2" },

    /* once: it was opened as what pages */

    { "W- . C . C . | >300 .", "W-1 ^ C2 | C3" },
    { "W- . C . W- . C .", "W-1 ^ C2 W-3 C4" },
    { "C . W- . C .", "C1 W-2 C3" },
    { "W- . C . R . W- . C .", "W-1 ^ C2 R3 W-4 ^ C5" },

    /* by its verdict, and by what comes meanwhile */

    { "W- . C t d | .", "W-1 ^ | C2" },
    { "W- . C t d t u .", "W-1 ^ C2 C2" },
    { "W- . C t d t m >1 .", "W-1 ^ C2 C2" },
    { "W- . C t u .", "W-1 ^ ^ C2" },
    { "W- . C t a >1 .", "W-1 ^ ^ C2" },
    { "W- . C t m >1 .", "W-1 ^ ^ C2" },
    { "W- . C t r >1 .", "W-1 ^ ^ C2" },
    { "W- . C t K .", "W-1 ^ ^ C2" },
    { "W- . C t d K .", "W-1 ^ C2" },
    { "W- . C t d t K .", "W-1 ^ C2 C2" },
    { "W- . C t R d .", "W-1 ^" },
    { "W- . C t R u .", "W-1 ^ R3" },
    { "W- . C t R m >1 .", "W-1 ^ R3" },
    { "W- . C t C d .", "W-1 ^ C3" },
    { "W- . C t W- d .", "W-1 ^ W-3" },
    { "W- . C t M d .", "W-1 ^ C2 M3" },

    /* a RESOLVE that ilert refuses is left out, and no more */

    { "W- . C t x .", "W-1 ^ C2" },
    { "W- . C- . C t x .", "W-1 C-2 ^ C3" },
    { "W- . C t x . C . | >300 .", "W-1 ^ C2 | C3" },
    { "W- . C t x . W- . C .", "W-1 ^ C2 W-3 C4" },

    { NULL, NULL }
};


/*
 * Alerts of which ilert was told nothing, by "latest".  "D >61" is the time
 * after which that is known.
 */

static const line_t  untold_cases[] = {

    /* the mapping has ignored it */

    { "D >61 n R .", "" },
    { "D >61 n R . n R . R .", "" },
    { "D >61 n n n R .", "" },
    { "D >61 n P R .", "" },
    { "D >61 n K R .", "" },
    { "D >61 n >86400 R .", "" },
    { "D >61 n M R .", "M1" },

    /* and is no longer ignored */

    { "D >61 n C .", "C1" },
    { "D >61 n C . R .", "C1 R2" },
    { "D >61 n C R .", "" },
    { "D >61 n C . R . n R .", "C1 R2" },
    { "D >61 n C t R d .", "C1 R2" },
    { "D >61 n C t R u .", "C1" },
    { "D >61 n C t a R >1 .", "C1" },

    /* ilert may have it */

    { "D >61 n C t m R >1 .", "C1 R2" },
    { "D >61 n C t K R .", "C1 R2" },

    /* an alert of which an ALERT came first */

    { "D >61 C* R .", "" },
    { "D >61 W* C* R .", "" },
    { "D >61 C* W R C R .", "" },
    { "D >61 C* . R .", "C1 R2" },
    { "D >61 C* t a R >1 .", "C1" },
    { "D >61 C* t m R >1 .", "C1 R2" },
    { "D >61 C* R . C .", "C3" },
    { "D >61 M* R .", "M1 R2" },

    /* in doubt: nothing is known of it, or not for long enough */

    { "R .", "R1" },
    { "D >61 R .", "R1" },
    { "n R .", "R1" },
    { "D >60 n R .", "R1" },
    { "D >60 n >1000 n R .", "" },
    { "D >61 N R .", "R1" },
    { "D >1000 N R .", "R1" },
    { "D >1000 N n R .", "" },
    { "D >61 C R .", "R2" },
    { "D >60 C* R .", "R2" },
    { "D >61 R* R .", "R2" },

    /* in doubt from now on */

    { "D >61 n U R .", "R1" },
    { "D >61 U n R .", "R1" },
    { "D >61 U >60 n R .", "R1" },
    { "D >61 U >61 n R .", "" },
    { "D >61 n U n R .", "R1" },
    { "D >61 C* U R .", "R2" },

    /* the clock was set back, and is again what it was */

    { "D >61 >-100000 n R .", "R1" },
    { "D >61 >-100000 P >61 n R .", "R1" },
    { "D >61 >-100000 U >61 n R .", "" },

    { NULL, NULL }
};


/* the same by "repeats", which tells all that was accepted, and by "off" */

static const line_t  untold_repeats_cases[] = {
    { "D >61 n R .", "" },
    { "D >61 n C R .", "C1 R2" },
    { "D >61 C* R .", "C1 R2" },
    { "D >61 n R . C . R .", "C2 R3" },
    { NULL, NULL }
};


static const line_t  untold_off_cases[] = {
    { "D >61 n R .", "R1" },
    { "D >61 C* R .", "C1 R2" },
    { NULL, NULL }
};


typedef struct {
    test_t      t;
    ngx_uint_t  n;                  /* events that came */
    event_t    *ev;                 /* under way */
    char       *p;                  /* the end of what ilert got */
    char        got[256];
} play_t;


static const char  levels[] = "OIWC";


/* the next job has a note of a webhook of "ops" that was ignored */

static void
add_note(test_t *t, ngx_str_t *key, int64_t began)
{
    ngx_http_ilert_store_heard_t  heard;

    static ngx_str_t                     source = ngx_string("ops");
    static ngx_http_ilert_store_note_t  *note;

    memset(&heard, 0, sizeof(heard));

    ngx_free(note);

    note = ngx_http_ilert_store_note(&heard, &source, key);
    note->owner = source;
    note->began = began;

    ngx_queue_insert_tail(&t->job.notes, &note->queue);
}


/* what would become of the event, if it came; asking changes nothing */

static query_t *
foresee(test_t *t, const char *source, const char *key,
    ngx_http_ilert_said_t *said, int64_t began)
{
    char      was[128];
    query_t  *q;

    sqlite3_snprintf(sizeof(was), was, "%s", kept_alerts(t, NULL, "khstu"));

    q = query(t, source, key);
    q->foresee = 1;
    q->owner = q->source;
    q->said = *said;
    q->policy = t->policy;
    q->began = began;

    check_int(run(t), OK);
    check(q->ok);
    check_str(kept_alerts(t, NULL, "khstu"), was);

    return q;
}


/* and that is what becomes of it */

static void
play_foreseen(test_t *t, query_t *q, event_t *ev)
{
    char        wanted[64];
    ngx_uint_t  spared;

    spared = (q->rule == NGX_HTTP_ILERT_DROP
              || q->rule == NGX_HTTP_ILERT_HOLD);

    check_int(q->said.repeat, ev->said.repeat);
    check_int(q->urgency, ev->urgency);
    check(ev->coalesced == spared
          || (q->replaces && ev->coalesced == spared + 1));
    check(!q->behind || q->rule == NGX_HTTP_ILERT_GO);

    switch (q->rule) {

    case NGX_HTTP_ILERT_HOLD:
    case NGX_HTTP_ILERT_DELAY:
        sqlite3_snprintf(sizeof(wanted), wanted, "2 %lld", q->until - NOW);
        check_str(kept_alerts(t, NULL, "tn"), wanted);
        break;

    case NGX_HTTP_ILERT_DROP:
        check_str(kept_alerts(t, NULL, "h"), "0");
        break;

    default:
        check(strcmp(kept_alerts(t, NULL, "h"), "0") != 0);
        break;
    }
}


static void
play_accept(play_t *p, const char *s)
{
    char         body[8];
    int64_t      message;
    event_t     *ev;
    query_t     *q;
    const char  *level;

    level = strchr(levels, *s);

    message = (s[1] == '/') ? s[2] - '0' : 0;

    sqlite3_snprintf(sizeof(body), body, "%.*s%d",
                     (s[1] == '+' || s[1] == '-') ? 2 : 1, s,
                     (int) ++p->n);

    ev = accept_event(&p->t, "ops", "k", level ? ALERT : *s == 'R' ? RESOLVE
                                         : *s == 'A' ? ACCEPT : COMMENT, body);
    ev->said.level = level ? level - levels : 0;
    ev->said.priority = (s[1] == '+') ? NGX_HTTP_ILERT_HIGH
                        : (s[1] == '-') ? NGX_HTTP_ILERT_LOW : 0;
    ev->said.message = message;

    if (s[1] == '*') {
        ev->began = p->t.now;
    }

    ngx_queue_remove(&ev->queue);

    q = foresee(&p->t, "ops", "k", &ev->said, ev->began);

    ngx_queue_insert_tail(&p->t.job.accepts, &ev->queue);

    check_int(run(&p->t), OK);

    play_foreseen(&p->t, q, ev);
}


static void
play_note(play_t *p, const char *fmt, ...)
{
    va_list  args;

    p->p += sprintf(p->p, "%s", p->p == p->got ? "" : " ");

    va_start(args, fmt);
    p->p += vsprintf(p->p, fmt, args);
    va_end(args);
}


static void
play_ignored(play_t *p, int64_t began)
{
    ngx_str_t  key = ngx_string(" K");

    add_note(&p->t, &key, began);
    check_int(run(&p->t), OK);
}


static void
play_take(play_t *p)
{
    event_t  *ev;

    take(&p->t, "ops", 1, 0);
    check_int(run(&p->t), OK);

    ev = only(&p->t);
    p->ev = NULL;

    if (ev == NULL) {
        return;
    }

    p->ev = keep(ev);

    if (ev->body.len) {
        play_note(p, "%.*s", (int) ev->body.len, (char *) ev->body.data);
        return;
    }

    check_int(ev->said.type, RESOLVE);

    play_note(p, ev->said.own == NGX_HTTP_ILERT_OWN_REOPEN ? "^" : "E");
}


static void
play_verdict(play_t *p, char c)
{
    if (p->ev == NULL) {
        fail_at(__FILE__, __LINE__, "nothing is under way", NULL);
        return;
    }

    p->ev->next = p->t.now + SECOND;
    p->ev->refused = (c == 'r');
    p->ev->maybe = (c == 'm');

    p->ev->status = (c == 'x') ? 400 : 0;

    verdict(&p->t, p->ev, c == 'd' ? DONE : c == 'u' ? UNSENT
                          : c == 'x' ? DEAD : AGAIN);
    check_int(run(&p->t), OK);

    p->ev = NULL;
}


static void
play_order(play_t *p, ngx_uint_t action)
{
    order_t  o;

    order(&p->t, &o, action, "ops", (action == RESUME) ? 0 : 1000 + p->n);

    if (action == NGX_HTTP_ILERT_STORE_END_ALERT) {
        ngx_str_set(&o.key, "K");
        ngx_str_set(&o.owner, "ops");
        o.policy = p->t.policy;
    }

    check_int(run(&p->t), OK);
    check(!o.missing && !o.more);
}


static void
play(play_t *p, const char *s)
{
    switch (*s) {

    case 'F':
        play_order(p, RESUME);
        break;

    case 'E':
        play_order(p, NGX_HTTP_ILERT_STORE_END_ALERT);
        break;

    case '|':
        play_note(p, "|");
        break;

    case 't':
        play_take(p);
        break;

    case '.':
        for (play_take(p); p->ev && p->p - p->got < 200; play_take(p)) {
            play_verdict(p, 'd');
        }

        break;

    case '>':
        p->t.now += strtol(s + 1, NULL, 10) * SECOND;
        break;

    case 'K':
        ngx_free(p->ev);
        p->ev = NULL;
        p->t.job.begin = 1;
        check_int(run(&p->t), OK);
        break;

    case 'U':
        p->t.job.unknown = 1;
        check_int(run(&p->t), OK);
        break;

    case 'n':
    case 'N':
        play_ignored(p, *s == 'n' ? p->t.now : NOW);
        break;

    case 'D':
        p->t.job.prove = 1;
        check_int(run(&p->t), OK);
        break;

    case 'P':
        ngx_http_ilert_store_close(&p->t.store);
        break;

    case 'L':
        release(&p->t, "ops");
        check_int(run(&p->t), OK);
        break;

    default:
        if (strchr("duarmx", *s)) {
            play_verdict(p, *s);

        } else {
            play_accept(p, s);
        }
    }
}


static void
play_all(ngx_uint_t coalesce, int64_t delay, const line_t *cases)
{
    play_t        p;
    ngx_uint_t    failures;
    const char   *s;

    for ( /* void */ ; cases->happens; cases++) {
        memset(&p, 0, sizeof(play_t));
        setup(&p.t, "coalesce");

        p.t.policy.coalesce = coalesce;
        p.t.policy.resolve_delay = delay;
        p.p = p.got;
        failures = test_failures;

        for (s = cases->happens; *s; s++) {
            if (*s != ' ' && (s == cases->happens || s[-1] == ' ')) {
                play(&p, s);
            }
        }

        check_str(p.got, cases->wanted);
        check_counts(&p.t);
        check_heads(&p.t);

        /* what opens an alert again is no event */

        if (strchr(cases->wanted, '^')) {
            check_str(kept_letters(&p.t, "i"), "");
        }

        if (test_failures > failures) {
            printf("#   %s\n", cases->happens);
        }

        ngx_free(p.ev);
        teardown(&p.t);
    }
}


/* so many webhooks need no request of their own */

static void
test_counted(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "counted");
    t.policy.coalesce = LATEST;

    accept_one(&t, "ops", "a", RESOLVE, "0");
    accept_one(&t, "ops", "b", RESOLVE, "0");
    drain(&t, "ops");

    accept_event(&t, "ops", "a", ALERT, "1");
    accept_event(&t, "ops", "a", ALERT, "2");
    accept_event(&t, "ops", "b", ALERT, "3");
    accept_event(&t, "ops", "b", RESOLVE, "4");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 3);

    ev = ngx_queue_data(ngx_queue_head(&outcome.accepts), event_t, queue);
    check_int(ev->coalesced, 0);
    ev = ngx_queue_data(ngx_queue_next(&ev->queue), event_t, queue);
    check_int(ev->coalesced, 1);
    ev = ngx_queue_data(ngx_queue_last(&outcome.accepts), event_t, queue);
    check_int(ev->coalesced, 2);

    ev = keep(take_one(&t, "ops"));

    /* what is found out when its turn comes */

    accept_event(&t, "ops", "a", ALERT, "5");
    accept_event(&t, "ops", "a", RESOLVE, "6");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);

    verdict(&t, ev, UNSENT);
    take_n(&t, "ops", 1);
    check(taken(&t, 0) == NULL);
    check_int(outcome.coalesced, 2);
    check_int(outcome.takes[0].coalesced, 2);

    /* none, if nothing is merged */

    t.policy.coalesce = OFF;
    accept_event(&t, "ops", "a", ALERT, "7");
    accept_event(&t, "ops", "a", ALERT, "8");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 0);

    /* and what another mode has accepted is judged by this one */

    t.policy.coalesce = LATEST;
    take_n(&t, "ops", 1);
    check_int(outcome.coalesced, 1);
    check(strchr(kept_events(&t, NULL), ' ') == NULL);

    teardown(&t);
}


/* only the first note of an alert is written, if it says anything */

static void
test_notes_written(void)
{
    test_t      t;
    ngx_uint_t  i, syncs;
    ngx_str_t   key = ngx_string("a");

    setup(&t, "notes");
    t.policy.coalesce = LATEST;
    t.job.prove = 1;
    check_int(run(&t), OK);

    for (i = 0; i < 6; i++) {

        if (i == 2) {
            t.now += 61 * SECOND;
        }

        syncs = vfs_syncs;

        add_note(&t, &key, (i == 3) ? NOW : t.now);
        check_int(run(&t), OK);

        check_int(outcome.idle, i != 2);
        check(!on_sqlite() || (vfs_syncs == syncs) == (i != 2));
    }

    check_str(kept_alerts(&t, NULL, "kh"), "a 0");

    /* all of that was for nothing */

    accept_event(&t, "ops", "A", RESOLVE, "1");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);
    check_str(kept_events(&t, NULL), "");
    check_counts(&t);

    /* ilert may have done something with what it has refused */

    accept_one(&t, "ops", "a", ALERT, "2");
    decide(&t, take_one(&t, "ops"), DEAD);
    accept_one(&t, "ops", "a", RESOLVE, "3");
    check_str(drain(&t, "ops"), "a:3");

    teardown(&t);
}


/*
 * At random: whatever becomes of requests, of couriers, and of what is known,
 * in the end ilert shows what came last, nothing that is older than what it
 * has, and all that is no state.
 */

#define KEYS   5
#define STEPS  400


typedef struct {
    ngx_uint_t  accepted;           /* the last event */
    ngx_uint_t  applied;            /* the last one that ilert has */
    ngx_uint_t  updates;            /* those that came and are not there yet */
    int         came;               /* what ilert should show: 0, or a level */
    int         shows;
    ngx_uint_t  bad;                /* Kapacitor has it open */
    int64_t     began;              /* since then */
} random_key_t;

typedef struct {
    test_t        t;
    random_key_t  keys[KEYS];
    event_t      *flights[4];
    ngx_uint_t    calm;             /* it is always known what is shown */
} random_t;


static void
random_begins(random_t *r, random_key_t *rk)
{
    if (!rk->bad) {
        rk->bad = 1;
        rk->began = r->t.now;
    }
}


/* the mapping ignores one that is not OK */

static void
random_note(random_t *r)
{
    char        text[8];
    ngx_uint_t  k;
    ngx_str_t   key;

    k = rnd(KEYS);

    random_begins(r, &r->keys[k]);

    key.data = (u_char *) text;
    key.len = sprintf(text, "%d", (int) k);

    add_note(&r->t, &key, r->keys[k].began);
}


static void
random_accept(random_t *r)
{
    char           key[8];
    event_t       *ev;
    ngx_uint_t     k, n, type, level;
    random_key_t  *rk;

    k = rnd(KEYS);
    rk = &r->keys[k];
    n = rnd(10);

    type = (n < 5) ? ALERT : (n < 9) ? RESOLVE : COMMENT;
    level = (type == ALERT) ? 1 + rnd(3) : 0;

    sprintf(key, "%d", (int) k);

    if (type == ALERT) {
        random_begins(r, rk);

    } else if (type == RESOLVE) {
        rk->bad = 0;
    }

    ev = accept_event(&r->t, "ops", key, type, "x");
    ev->began = rk->began;
    ev->id = (uint64_t) k << 32 | ++rk->accepted;
    ev->said.level = level;
    ev->said.priority = (level == WARNING) ? NGX_HTTP_ILERT_LOW : 0;

    if (type == COMMENT) {
        rk->updates++;

    } else {
        rk->came = level;
    }
}


static void
random_apply(random_t *r, event_t *ev, ngx_uint_t again)
{
    char           text[64];
    ngx_uint_t     n;
    random_key_t  *rk;

    rk = &r->keys[ev->id >> 32];
    n = ev->id & 0xffffffff;

    if (ev->said.own == NGX_HTTP_ILERT_OWN_REOPEN) {

        /* it only goes before that event */

        check_int(ev->said.type, RESOLVE);
        rk->shows = 0;
        n--;
    }

    if (n < rk->applied || n > rk->accepted) {
        sqlite3_snprintf(sizeof(text), text, "%d of key %c after %d", (int) n,
                         ev->key.data[0], (int) rk->applied);
        fail_at(__FILE__, __LINE__, "applied", text);
    }

    rk->applied = ngx_max(rk->applied, n);

    if (ev->said.type == COMMENT) {
        rk->updates -= !again;

    } else if (ev->said.own != NGX_HTTP_ILERT_OWN_REOPEN) {
        rk->shows = ev->said.level;
    }
}


/* what may have been sent was, or was not */

static void
random_verdict(random_t *r, ngx_uint_t i)
{
    event_t  *ev;

    ev = r->flights[i];
    r->flights[i] = NULL;

    ev->next = r->t.now + rnd(3000);

    if (ev->said.own == NGX_HTTP_ILERT_OWN_REOPEN && rnd(4) == 0) {
        ev->status = 400;
        verdict(&r->t, ev, DEAD);
        return;
    }

    switch (rnd(8)) {

    case 0:
        verdict(&r->t, ev, UNSENT);
        break;

    case 1:
        ev->refused = 1;
        ev->pause = rnd(2) * SECOND;
        verdict(&r->t, ev, AGAIN);
        break;

    case 2:
        if (rnd(2)) {
            random_apply(r, ev, 1);
        }

        ev->maybe = 1;
        verdict(&r->t, ev, AGAIN);
        break;

    default:
        random_apply(r, ev, 0);
        verdict(&r->t, ev, DONE);
    }
}


static void
random_crash(random_t *r)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        if (r->flights[i]) {

            if (rnd(2)) {
                random_apply(r, r->flights[i], 1);
            }

            ngx_free(r->flights[i]);
            r->flights[i] = NULL;
        }
    }

    if (rnd(2)) {
        ngx_http_ilert_store_close(&r->t.store);
    }

    r->t.job.begin = 1;
}


static void
random_step(random_t *r, ngx_uint_t accepts)
{
    order_t      o;
    event_t     *ev;
    ngx_uint_t   i, n;

    r->t.now += rnd(5) ? rnd(2000) : rnd(200) * SECOND;

    if (rnd(40) == 0) {
        random_crash(r);
    }

    if (!r->calm && rnd(60) == 0) {
        r->t.job.unknown = 1;
    }

    if (rnd(20) == 0) {
        release(&r->t, "ops");
    }

    if (rnd(40) == 0) {
        order(&r->t, &o, RESUME, "ops", 0);
    }

    if (accepts && rnd(3) == 0) {
        random_note(r);
        check_int(run(&r->t), OK);
    }

    while (accepts--) {
        random_accept(r);
    }

    for (n = 0, i = 0; i < 4; i++) {
        if (r->flights[i] && rnd(2)) {
            random_verdict(r, i);
        }

        n += (r->flights[i] == NULL);
    }

    take(&r->t, "ops", n, 0);
    check_int(run(&r->t), OK);

    while ((ev = taken(&r->t, 0))) {
        for (i = 0; r->flights[i]; i++) { /* void */ }
        r->flights[i] = keep(ev);
    }
}


static void
random_run(ngx_uint_t n)
{
    static random_t   r;
    ngx_uint_t        i, coalesce;
    random_key_t     *rk;

    memset(&r, 0, sizeof(random_t));
    setup(&r.t, "random");

    coalesce = n % 3;

    r.t.policy.coalesce = coalesce;
    r.t.policy.resolve_delay = rnd(3) * 5 * SECOND;
    r.t.policy.raise = rnd(2);
    r.calm = rnd(2);
    budget(&r.t, "key", 10, SECOND);

    for (i = 0; i < STEPS && test_failures == 0; i++) {
        random_step(&r, rnd(3));
    }

    for (i = 0; i < STEPS && test_failures == 0; i++) {
        r.t.now += 60 * SECOND;
        random_step(&r, 0);
    }

    for (i = 0; i < KEYS; i++) {
        rk = &r.keys[i];

        check_int(rk->shows, rk->came);
        check_int(rk->updates, 0);

        /* the newest content, too, but for a repeat that became unknown */

        if ((coalesce == OFF && r.t.policy.resolve_delay == 0)
            || (rk->came && r.calm))
        {
            check_int(rk->applied, rk->accepted);
        }
    }

    check_str(kept_events(&r.t, NULL), "");

    random_crash(&r);
    teardown(&r.t);
}


static void
test_random(void)
{
    at_random(21, random_run);
}


/*
 * At random, what ends that are not told must never leave: an alert that ilert
 * shows, and Kapacitor has not.  Webhooks are accepted, ignored, lost, or
 * relayed; the database is lost, alerts are forgotten, nginx is killed.
 *
 * If the OK of an alert was lost, ilert still shows it when it begins again.
 * That may end with the next one that is told, unless there was doubt lately.
 */

typedef struct {
    test_t        t;
    int64_t       doubted;
    int           level[KEYS];      /* what Kapacitor has */
    int           shows[KEYS];
    int64_t       began[KEYS];
    ngx_uint_t    stale[KEYS];      /* what ilert shows is an earlier one */
} doubt_t;


static void
doubt_shows(doubt_t *d, ngx_uint_t k, int level)
{
    d->shows[k] = level;
    d->stale[k] = 0;
}


static void
doubt_deliver(doubt_t *d)
{
    event_t  *ev;

    for ( ;; ) {
        take(&d->t, "ops", 1, 0);
        check_int(run(&d->t), OK);

        ev = taken(&d->t, 0);

        if (ev == NULL) {
            return;
        }

        doubt_shows(d, ev->key.data[0] - '0',
                    (ev->said.type == ALERT) ? (int) ev->said.level : 0);
        verdict(&d->t, ev, DONE);
        check_int(run(&d->t), OK);
    }
}


static void
doubt_accept(doubt_t *d, const char *key, ngx_uint_t k, int64_t began)
{
    event_t  *ev;

    ev = accept_event(&d->t, "ops", key, d->level[k] ? ALERT : RESOLVE, "x");
    ev->said.level = d->level[k];
    ev->said.received = d->t.now;
    ev->began = began;

    check_int(run(&d->t), OK);
}


/* a webhook of an alert, whose level may have changed */

static void
doubt_webhook(doubt_t *d)
{
    char        key[2];
    int64_t     began;
    ngx_str_t   name;
    ngx_uint_t  k, was, fate;

    k = rnd(KEYS);
    key[0] = '0' + k;
    key[1] = '\0';

    was = d->level[k];
    d->level[k] = rnd(2) ? 0 : 1 + rnd(3);

    began = 0;

    if (was == 0 && d->level[k]) {
        began = d->t.now;
        d->began[k] = began;
        d->stale[k] = (d->shows[k] != 0);
    }

    fate = rnd(6);

    if (d->level[k] == 0 && fate == 2) {
        fate = 5;
    }

    switch (fate) {

    case 0: /* it is lost */

        break;

    case 1: /* it is relayed */

        doubt_shows(d, k, d->level[k]);
        d->t.job.unknown = 1;
        d->doubted = d->t.now;
        check_int(run(&d->t), OK);
        break;

    case 2: /* it is ignored */

        name.data = (u_char *) key;
        name.len = 1;
        add_note(&d->t, &name, began);
        check_int(run(&d->t), OK);
        break;

    default:
        doubt_accept(d, key, k, began);

        if (d->level[k] && rnd(2)) {

            /* it is over before its turn */

            d->level[k] = 0;
            doubt_accept(d, key, k, 0);
        }

        doubt_deliver(d);

        if (!d->stale[k] || d->level[k]
            || d->began[k] <= d->doubted + 60 * SECOND)
        {
            check_int(d->shows[k], d->level[k]);
        }
    }
}


static void
doubt_made(doubt_t *d)
{
    d->t.job.prove = 1;
    check_int(run(&d->t), OK);
    d->doubted = d->t.now;
}


static void
doubt_step(doubt_t *d)
{
    switch (rnd(40)) {

    case 0:
        ngx_http_ilert_store_close(&d->t.store);
        break;

    case 1:
        ngx_http_ilert_store_close(&d->t.store);

        if (on_sqlite()) {
            forget(&d->t);

        } else {
            null_forget(&d->t.store.path);
        }

        doubt_made(d);
        break;

    case 2:
        d->t.now += 91 * DAY;
        d->t.job.clean = 1;
        check_int(run(&d->t), OK);

        if (outcome.silent) {
            d->doubted = d->t.now;
        }

        break;

    case 3:
        d->t.job.begin = 1;
        check_int(run(&d->t), OK);
        break;

    default:
        d->t.now += (rnd(3) ? rnd(20) : rnd(200)) * SECOND;
        doubt_webhook(d);
    }
}


static void
doubt_run(ngx_uint_t n)
{
    static doubt_t  d;
    ngx_uint_t      i;

    memset(&d, 0, sizeof(doubt_t));
    setup(&d.t, "random");
    d.t.policy.coalesce = LATEST;
    doubt_made(&d);

    for (i = 0; i < STEPS && test_failures == 0; i++) {
        doubt_step(&d);
    }

    teardown(&d.t);
}


static void
test_doubt_random(void)
{
    at_random(on_sqlite() ? 3 : 12, doubt_run);
}


/* of sources that share a key, and of one that has never had an event */

static void
test_foreseen(void)
{
    test_t                 t;
    query_t               *q;
    ngx_http_ilert_said_t  said;

    setup(&t, "foreseen");
    t.policy.coalesce = REPEATS;

    accept_event(&t, "ops", "a", ALERT, "1")->said.received = t.now;
    check_int(run(&t), OK);
    drain(&t, "ops");

    memset(&said, 0, sizeof(said));
    said.type = ALERT;
    said.level = CRITICAL;
    said.received = t.now;

    q = foresee(&t, "ops", " A\n", &said, 0);
    check_int(q->rule, NGX_HTTP_ILERT_HOLD);
    check_int(q->until, t.now + 300 * SECOND);

    q = foresee(&t, "ops", "b", &said, 0);
    check_int(q->rule, NGX_HTTP_ILERT_GO);
    check_int(q->urgency, NGX_HTTP_ILERT_CRITICAL_FIRST);

    q = foresee(&t, "dev", "a", &said, 0);
    check_int(q->rule, NGX_HTTP_ILERT_GO);

    /* by the name of its key, "dev" would have the alerts of "ops" */

    q = query(&t, "dev", "a");
    q->foresee = 1;
    ngx_str_set(&q->owner, "ops");
    q->said = said;
    q->policy = t.policy;
    check_int(run(&t), OK);
    check_int(q->rule, NGX_HTTP_ILERT_HOLD);

    /* without that question nothing is said of a source that is not known */

    q = query(&t, "dev", "a");
    check_int(run(&t), OK);
    check(q->ok && !q->found);

    teardown(&t);
}


static void
test_off(void)
{
    play_all(OFF, 0, off_cases);
    play_all(OFF, 120 * SECOND, delay_off_cases);
}


static void
test_repeats(void)
{
    play_all(REPEATS, 0, repeats_cases);
    play_all(REPEATS, 120 * SECOND, delay_repeats_cases);
}


static void
test_latest(void)
{
    play_all(LATEST, 0, latest_cases);
    play_all(LATEST, 120 * SECOND, delay_latest_cases);
}


static void
test_raise(void)
{
    play_all(LATEST, 0, raise_cases);
}


static void
test_untold(void)
{
    play_all(LATEST, 0, untold_cases);
    play_all(REPEATS, 0, untold_repeats_cases);
    play_all(OFF, 0, untold_off_cases);
}


static void
test_traps(void)
{
    play_all(REPEATS, 0, trap_cases);
    play_all(LATEST, 0, trap_cases);
    play_all(REPEATS, 0, trap_repeats_cases);
    play_all(LATEST, 0, trap_latest_cases);
}


test_case_t  coalesce_cases[] = {
    { "coalesce: off", test_off },
    { "coalesce: repeats", test_repeats },
    { "coalesce: latest", test_latest },
    { "coalesce: raise", test_raise },
    { "coalesce: what nothing resolves", test_traps },
    { "coalesce: of what nothing was told", test_untold },
    { "coalesce: notes are written once", test_notes_written },
    { "coalesce: counted", test_counted },
    { "coalesce: foreseen", test_foreseen },
    { "coalesce: at random", test_random },
    { "coalesce: doubt, at random", test_doubt_random },
    { NULL, NULL }
};
