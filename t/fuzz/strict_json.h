
/*
 * A strict reader of JSON (RFC 8259) for the checks of the fuzz target; it
 * shares nothing with cJSON or the module.
 */


#ifndef _STRICT_JSON_H_INCLUDED_
#define _STRICT_JSON_H_INCLUDED_


#include <stddef.h>


typedef struct strict_json_s  strict_json_t;

typedef enum {
    STRICT_JSON_OBJECT,
    STRICT_JSON_ARRAY,
    STRICT_JSON_STRING,
    STRICT_JSON_NUMBER,
    STRICT_JSON_BOOLEAN,
    STRICT_JSON_NULL
} strict_json_type_e;

struct strict_json_s {
    const unsigned char   *pos;         /* in: the text; out: the place of */
    const unsigned char   *end;         /* the error */

    int                    max_depth;   /* of arrays and objects */
    int                    mendable;    /* half surrogates and invalid UTF-8 */
                                        /* are taken */

    /*
     * if not NULL, called at the end of each value: its text, and the name,
     * in quotes, of the member that it is, or NULL
     */
    void                 (*value)(strict_json_t *json, strict_json_type_e type,
                                  const unsigned char *text, size_t len,
                                  const unsigned char *name, size_t name_len);
    void                  *data;

    int                    depth;       /* around the value; the root's is 0 */
};


/* 1 if the whole text is one JSON value, else 0 */
int strict_json(strict_json_t *json);

/* the length of the valid UTF-8 character at p, else 0 */
size_t strict_utf8(const unsigned char *p, const unsigned char *end);


#endif /* _STRICT_JSON_H_INCLUDED_ */
