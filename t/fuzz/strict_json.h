
/*
 * A strict reader of JSON (RFC 8259) for the checks of the fuzz targets.  It
 * shares no code with the module.
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
    const unsigned char   *pos;         /* set to the text by the caller; */
                                        /* then where the error is */
    const unsigned char   *end;         /* set by the caller */

    int                    max_depth;   /* of arrays and objects */
    int                    mendable;    /* half surrogate pairs and bytes */
                                        /* that are no UTF-8 are accepted */
    int                    repairable;  /* and control characters in */
                                        /* strings, and a byte order mark */

    /*
     * This is called, if it is not NULL, at the end of each value.  It gets
     * the text of the value, and the name in quotes if the value is that of a
     * member of an object, else NULL.
     */
    void                 (*value)(strict_json_t *json, strict_json_type_e type,
                                  const unsigned char *text, size_t len,
                                  const unsigned char *name, size_t name_len);
    void                  *data;

    int                    depth;       /* of arrays and objects around the */
                                        /* value; 0 for the whole text */
};


/* Returns 1 if the whole text is one value of JSON, else 0. */
int strict_json(strict_json_t *json);

/*
 * Returns the length, in bytes, of the character of UTF-8 at p, or 0 if there
 * is no valid one.
 */
size_t strict_utf8(const unsigned char *p, const unsigned char *end);


#endif /* _STRICT_JSON_H_INCLUDED_ */
