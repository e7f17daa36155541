
/* a strict reader of JSON: strict_json.h says what it is for */


#include <string.h>

#include "strict_json.h"


static int strict_value(strict_json_t *json, const unsigned char *name,
    size_t name_len);
static int strict_members(strict_json_t *json, unsigned char close);
static int strict_string(strict_json_t *json);
static int strict_escape(strict_json_t *json);
static int strict_hex(strict_json_t *json, unsigned *code);
static int strict_number(strict_json_t *json);
static int strict_digits(strict_json_t *json);
static int strict_word(strict_json_t *json, const char *word);
static int strict_next(strict_json_t *json, unsigned char ch);
static void strict_space(strict_json_t *json);


int
strict_json(strict_json_t *json)
{
    json->depth = 0;

    if (json->repairable && json->end - json->pos >= 3
        && memcmp(json->pos, "\xef\xbb\xbf", 3) == 0)
    {
        json->pos += 3;
    }

    if (!strict_value(json, NULL, 0)) {
        return 0;
    }

    strict_space(json);

    return json->pos == json->end;
}


static int
strict_value(strict_json_t *json, const unsigned char *name, size_t name_len)
{
    int                   ok;
    const unsigned char  *start;
    strict_json_type_e    type;

    strict_space(json);

    if (json->pos == json->end) {
        return 0;
    }

    start = json->pos;

    switch (*start) {

    case '{':
        type = STRICT_JSON_OBJECT;
        ok = strict_members(json, '}');
        break;

    case '[':
        type = STRICT_JSON_ARRAY;
        ok = strict_members(json, ']');
        break;

    case '"':
        type = STRICT_JSON_STRING;
        ok = strict_string(json);
        break;

    case 't':
        type = STRICT_JSON_BOOLEAN;
        ok = strict_word(json, "true");
        break;

    case 'f':
        type = STRICT_JSON_BOOLEAN;
        ok = strict_word(json, "false");
        break;

    case 'n':
        type = STRICT_JSON_NULL;
        ok = strict_word(json, "null");
        break;

    default:
        type = STRICT_JSON_NUMBER;
        ok = strict_number(json);
    }

    if (ok && json->value) {
        json->value(json, type, start, json->pos - start, name, name_len);
    }

    return ok;
}


/* Reads an object or an array. */

static int
strict_members(strict_json_t *json, unsigned char close)
{
    size_t                name_len;
    const unsigned char  *name;

    if (++json->depth > json->max_depth) {
        return 0;
    }

    json->pos++;

    if (!strict_next(json, close)) {

        do {
            name = NULL;
            name_len = 0;

            if (close == '}') {
                strict_space(json);

                name = json->pos;

                if (!strict_string(json)) {
                    return 0;
                }

                name_len = json->pos - name;

                if (!strict_next(json, ':')) {
                    return 0;
                }
            }

            if (!strict_value(json, name, name_len)) {
                return 0;
            }

        } while (strict_next(json, ','));

        if (!strict_next(json, close)) {
            return 0;
        }
    }

    json->depth--;

    return 1;
}


static int
strict_string(strict_json_t *json)
{
    size_t  len;

    if (json->pos == json->end || *json->pos != '"') {
        return 0;
    }

    json->pos++;

    while (json->pos < json->end) {

        if (*json->pos == '"') {
            json->pos++;
            return 1;
        }

        if (*json->pos < 0x20 && !json->repairable) {
            return 0;
        }

        if (*json->pos == '\\') {
            if (!strict_escape(json)) {
                return 0;
            }

            continue;
        }

        len = (*json->pos < 0x20) ? 1 : strict_utf8(json->pos, json->end);

        if (len == 0) {
            if (!json->mendable) {
                return 0;
            }

            len = 1;
        }

        json->pos += len;
    }

    return 0;
}


static int
strict_escape(strict_json_t *json)
{
    unsigned              high, low;
    const unsigned char  *p;

    if (++json->pos == json->end) {
        return 0;
    }

    if (*json->pos != 'u') {
        return *json->pos && strchr("\"\\/bfnrt", *json->pos++) != NULL;
    }

    json->pos++;

    if (!strict_hex(json, &high)) {
        return 0;
    }

    if (high < 0xd800 || high > 0xdfff || json->mendable) {
        return 1;
    }

    p = json->pos;

    if (high > 0xdbff || json->end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return 0;
    }

    json->pos += 2;

    return strict_hex(json, &low) && low >= 0xdc00 && low <= 0xdfff;
}


static int
strict_hex(strict_json_t *json, unsigned *code)
{
    int          i;
    const char  *digit;

    static const char  digits[] = "00112233445566778899AaBbCcDdEeFf";

    *code = 0;

    for (i = 0; i < 4; i++) {
        if (json->pos == json->end || *json->pos == '\0') {
            return 0;
        }

        digit = strchr(digits, *json->pos++);
        if (digit == NULL) {
            return 0;
        }

        *code = *code * 16 + (digit - digits) / 2;
    }

    return 1;
}


static int
strict_number(strict_json_t *json)
{
    if (json->pos < json->end && *json->pos == '-') {
        json->pos++;
    }

    if (json->pos < json->end && *json->pos == '0') {
        json->pos++;

    } else if (!strict_digits(json)) {
        return 0;
    }

    if (json->pos < json->end && *json->pos == '.') {
        json->pos++;

        if (!strict_digits(json)) {
            return 0;
        }
    }

    if (json->pos < json->end && (*json->pos == 'e' || *json->pos == 'E')) {
        json->pos++;

        if (json->pos < json->end
            && (*json->pos == '+' || *json->pos == '-'))
        {
            json->pos++;
        }

        return strict_digits(json);
    }

    return 1;
}


static int
strict_digits(strict_json_t *json)
{
    const unsigned char  *start;

    start = json->pos;

    while (json->pos < json->end && *json->pos >= '0' && *json->pos <= '9') {
        json->pos++;
    }

    return json->pos > start;
}


static int
strict_word(strict_json_t *json, const char *word)
{
    size_t  len;

    len = strlen(word);

    if ((size_t) (json->end - json->pos) < len
        || memcmp(json->pos, word, len) != 0)
    {
        return 0;
    }

    json->pos += len;

    return 1;
}


static int
strict_next(strict_json_t *json, unsigned char ch)
{
    strict_space(json);

    if (json->pos == json->end || *json->pos != ch) {
        return 0;
    }

    json->pos++;

    return 1;
}


static void
strict_space(strict_json_t *json)
{
    while (json->pos < json->end
           && (*json->pos == ' ' || *json->pos == '\t'
               || *json->pos == '\n' || *json->pos == '\r'))
    {
        json->pos++;
    }
}


size_t
strict_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t    len, i;
    unsigned  code;

    static const unsigned  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p == end) {
        return 0;
    }

    if (*p < 0x80) {
        return 1;

    } else if (*p >= 0xc0 && *p < 0xe0) {
        len = 2;
        code = *p & 0x1f;

    } else if (*p >= 0xe0 && *p < 0xf0) {
        len = 3;
        code = *p & 0x0f;

    } else if (*p >= 0xf0 && *p < 0xf8) {
        len = 4;
        code = *p & 0x07;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < len) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < least[len] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return len;
}
