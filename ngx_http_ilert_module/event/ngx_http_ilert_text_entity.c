
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_text.h"


typedef struct {
    ngx_str_t                   name;
    uint32_t                    code;
} ngx_http_ilert_text_entity_t;


static u_char *ngx_http_ilert_text_number(u_char *p, u_char *last,
    u_char **out);
static ngx_http_ilert_text_entity_t *ngx_http_ilert_text_name(u_char *name,
    size_t len);


/* The names of HTML 4, and "apos", in the order of their bytes. */

static ngx_http_ilert_text_entity_t  ngx_http_ilert_text_entities[] = {
    { ngx_string("AElig"), 0xc6 },
    { ngx_string("Aacute"), 0xc1 },
    { ngx_string("Acirc"), 0xc2 },
    { ngx_string("Agrave"), 0xc0 },
    { ngx_string("Alpha"), 0x391 },
    { ngx_string("Aring"), 0xc5 },
    { ngx_string("Atilde"), 0xc3 },
    { ngx_string("Auml"), 0xc4 },
    { ngx_string("Beta"), 0x392 },
    { ngx_string("Ccedil"), 0xc7 },
    { ngx_string("Chi"), 0x3a7 },
    { ngx_string("Dagger"), 0x2021 },
    { ngx_string("Delta"), 0x394 },
    { ngx_string("ETH"), 0xd0 },
    { ngx_string("Eacute"), 0xc9 },
    { ngx_string("Ecirc"), 0xca },
    { ngx_string("Egrave"), 0xc8 },
    { ngx_string("Epsilon"), 0x395 },
    { ngx_string("Eta"), 0x397 },
    { ngx_string("Euml"), 0xcb },
    { ngx_string("Gamma"), 0x393 },
    { ngx_string("Iacute"), 0xcd },
    { ngx_string("Icirc"), 0xce },
    { ngx_string("Igrave"), 0xcc },
    { ngx_string("Iota"), 0x399 },
    { ngx_string("Iuml"), 0xcf },
    { ngx_string("Kappa"), 0x39a },
    { ngx_string("Lambda"), 0x39b },
    { ngx_string("Mu"), 0x39c },
    { ngx_string("Ntilde"), 0xd1 },
    { ngx_string("Nu"), 0x39d },
    { ngx_string("OElig"), 0x152 },
    { ngx_string("Oacute"), 0xd3 },
    { ngx_string("Ocirc"), 0xd4 },
    { ngx_string("Ograve"), 0xd2 },
    { ngx_string("Omega"), 0x3a9 },
    { ngx_string("Omicron"), 0x39f },
    { ngx_string("Oslash"), 0xd8 },
    { ngx_string("Otilde"), 0xd5 },
    { ngx_string("Ouml"), 0xd6 },
    { ngx_string("Phi"), 0x3a6 },
    { ngx_string("Pi"), 0x3a0 },
    { ngx_string("Prime"), 0x2033 },
    { ngx_string("Psi"), 0x3a8 },
    { ngx_string("Rho"), 0x3a1 },
    { ngx_string("Scaron"), 0x160 },
    { ngx_string("Sigma"), 0x3a3 },
    { ngx_string("THORN"), 0xde },
    { ngx_string("Tau"), 0x3a4 },
    { ngx_string("Theta"), 0x398 },
    { ngx_string("Uacute"), 0xda },
    { ngx_string("Ucirc"), 0xdb },
    { ngx_string("Ugrave"), 0xd9 },
    { ngx_string("Upsilon"), 0x3a5 },
    { ngx_string("Uuml"), 0xdc },
    { ngx_string("Xi"), 0x39e },
    { ngx_string("Yacute"), 0xdd },
    { ngx_string("Yuml"), 0x178 },
    { ngx_string("Zeta"), 0x396 },
    { ngx_string("aacute"), 0xe1 },
    { ngx_string("acirc"), 0xe2 },
    { ngx_string("acute"), 0xb4 },
    { ngx_string("aelig"), 0xe6 },
    { ngx_string("agrave"), 0xe0 },
    { ngx_string("alefsym"), 0x2135 },
    { ngx_string("alpha"), 0x3b1 },
    { ngx_string("amp"), 0x26 },
    { ngx_string("and"), 0x2227 },
    { ngx_string("ang"), 0x2220 },
    { ngx_string("apos"), 0x27 },
    { ngx_string("aring"), 0xe5 },
    { ngx_string("asymp"), 0x2248 },
    { ngx_string("atilde"), 0xe3 },
    { ngx_string("auml"), 0xe4 },
    { ngx_string("bdquo"), 0x201e },
    { ngx_string("beta"), 0x3b2 },
    { ngx_string("brvbar"), 0xa6 },
    { ngx_string("bull"), 0x2022 },
    { ngx_string("cap"), 0x2229 },
    { ngx_string("ccedil"), 0xe7 },
    { ngx_string("cedil"), 0xb8 },
    { ngx_string("cent"), 0xa2 },
    { ngx_string("chi"), 0x3c7 },
    { ngx_string("circ"), 0x2c6 },
    { ngx_string("clubs"), 0x2663 },
    { ngx_string("cong"), 0x2245 },
    { ngx_string("copy"), 0xa9 },
    { ngx_string("crarr"), 0x21b5 },
    { ngx_string("cup"), 0x222a },
    { ngx_string("curren"), 0xa4 },
    { ngx_string("dArr"), 0x21d3 },
    { ngx_string("dagger"), 0x2020 },
    { ngx_string("darr"), 0x2193 },
    { ngx_string("deg"), 0xb0 },
    { ngx_string("delta"), 0x3b4 },
    { ngx_string("diams"), 0x2666 },
    { ngx_string("divide"), 0xf7 },
    { ngx_string("eacute"), 0xe9 },
    { ngx_string("ecirc"), 0xea },
    { ngx_string("egrave"), 0xe8 },
    { ngx_string("empty"), 0x2205 },
    { ngx_string("emsp"), 0x2003 },
    { ngx_string("ensp"), 0x2002 },
    { ngx_string("epsilon"), 0x3b5 },
    { ngx_string("equiv"), 0x2261 },
    { ngx_string("eta"), 0x3b7 },
    { ngx_string("eth"), 0xf0 },
    { ngx_string("euml"), 0xeb },
    { ngx_string("euro"), 0x20ac },
    { ngx_string("exist"), 0x2203 },
    { ngx_string("fnof"), 0x192 },
    { ngx_string("forall"), 0x2200 },
    { ngx_string("frac12"), 0xbd },
    { ngx_string("frac14"), 0xbc },
    { ngx_string("frac34"), 0xbe },
    { ngx_string("frasl"), 0x2044 },
    { ngx_string("gamma"), 0x3b3 },
    { ngx_string("ge"), 0x2265 },
    { ngx_string("gt"), 0x3e },
    { ngx_string("hArr"), 0x21d4 },
    { ngx_string("harr"), 0x2194 },
    { ngx_string("hearts"), 0x2665 },
    { ngx_string("hellip"), 0x2026 },
    { ngx_string("iacute"), 0xed },
    { ngx_string("icirc"), 0xee },
    { ngx_string("iexcl"), 0xa1 },
    { ngx_string("igrave"), 0xec },
    { ngx_string("image"), 0x2111 },
    { ngx_string("infin"), 0x221e },
    { ngx_string("int"), 0x222b },
    { ngx_string("iota"), 0x3b9 },
    { ngx_string("iquest"), 0xbf },
    { ngx_string("isin"), 0x2208 },
    { ngx_string("iuml"), 0xef },
    { ngx_string("kappa"), 0x3ba },
    { ngx_string("lArr"), 0x21d0 },
    { ngx_string("lambda"), 0x3bb },
    { ngx_string("lang"), 0x2329 },
    { ngx_string("laquo"), 0xab },
    { ngx_string("larr"), 0x2190 },
    { ngx_string("lceil"), 0x2308 },
    { ngx_string("ldquo"), 0x201c },
    { ngx_string("le"), 0x2264 },
    { ngx_string("lfloor"), 0x230a },
    { ngx_string("lowast"), 0x2217 },
    { ngx_string("loz"), 0x25ca },
    { ngx_string("lrm"), 0x200e },
    { ngx_string("lsaquo"), 0x2039 },
    { ngx_string("lsquo"), 0x2018 },
    { ngx_string("lt"), 0x3c },
    { ngx_string("macr"), 0xaf },
    { ngx_string("mdash"), 0x2014 },
    { ngx_string("micro"), 0xb5 },
    { ngx_string("middot"), 0xb7 },
    { ngx_string("minus"), 0x2212 },
    { ngx_string("mu"), 0x3bc },
    { ngx_string("nabla"), 0x2207 },
    { ngx_string("nbsp"), 0xa0 },
    { ngx_string("ndash"), 0x2013 },
    { ngx_string("ne"), 0x2260 },
    { ngx_string("ni"), 0x220b },
    { ngx_string("not"), 0xac },
    { ngx_string("notin"), 0x2209 },
    { ngx_string("nsub"), 0x2284 },
    { ngx_string("ntilde"), 0xf1 },
    { ngx_string("nu"), 0x3bd },
    { ngx_string("oacute"), 0xf3 },
    { ngx_string("ocirc"), 0xf4 },
    { ngx_string("oelig"), 0x153 },
    { ngx_string("ograve"), 0xf2 },
    { ngx_string("oline"), 0x203e },
    { ngx_string("omega"), 0x3c9 },
    { ngx_string("omicron"), 0x3bf },
    { ngx_string("oplus"), 0x2295 },
    { ngx_string("or"), 0x2228 },
    { ngx_string("ordf"), 0xaa },
    { ngx_string("ordm"), 0xba },
    { ngx_string("oslash"), 0xf8 },
    { ngx_string("otilde"), 0xf5 },
    { ngx_string("otimes"), 0x2297 },
    { ngx_string("ouml"), 0xf6 },
    { ngx_string("para"), 0xb6 },
    { ngx_string("part"), 0x2202 },
    { ngx_string("permil"), 0x2030 },
    { ngx_string("perp"), 0x22a5 },
    { ngx_string("phi"), 0x3c6 },
    { ngx_string("pi"), 0x3c0 },
    { ngx_string("piv"), 0x3d6 },
    { ngx_string("plusmn"), 0xb1 },
    { ngx_string("pound"), 0xa3 },
    { ngx_string("prime"), 0x2032 },
    { ngx_string("prod"), 0x220f },
    { ngx_string("prop"), 0x221d },
    { ngx_string("psi"), 0x3c8 },
    { ngx_string("quot"), 0x22 },
    { ngx_string("rArr"), 0x21d2 },
    { ngx_string("radic"), 0x221a },
    { ngx_string("rang"), 0x232a },
    { ngx_string("raquo"), 0xbb },
    { ngx_string("rarr"), 0x2192 },
    { ngx_string("rceil"), 0x2309 },
    { ngx_string("rdquo"), 0x201d },
    { ngx_string("real"), 0x211c },
    { ngx_string("reg"), 0xae },
    { ngx_string("rfloor"), 0x230b },
    { ngx_string("rho"), 0x3c1 },
    { ngx_string("rlm"), 0x200f },
    { ngx_string("rsaquo"), 0x203a },
    { ngx_string("rsquo"), 0x2019 },
    { ngx_string("sbquo"), 0x201a },
    { ngx_string("scaron"), 0x161 },
    { ngx_string("sdot"), 0x22c5 },
    { ngx_string("sect"), 0xa7 },
    { ngx_string("shy"), 0xad },
    { ngx_string("sigma"), 0x3c3 },
    { ngx_string("sigmaf"), 0x3c2 },
    { ngx_string("sim"), 0x223c },
    { ngx_string("spades"), 0x2660 },
    { ngx_string("sub"), 0x2282 },
    { ngx_string("sube"), 0x2286 },
    { ngx_string("sum"), 0x2211 },
    { ngx_string("sup"), 0x2283 },
    { ngx_string("sup1"), 0xb9 },
    { ngx_string("sup2"), 0xb2 },
    { ngx_string("sup3"), 0xb3 },
    { ngx_string("supe"), 0x2287 },
    { ngx_string("szlig"), 0xdf },
    { ngx_string("tau"), 0x3c4 },
    { ngx_string("there4"), 0x2234 },
    { ngx_string("theta"), 0x3b8 },
    { ngx_string("thetasym"), 0x3d1 },
    { ngx_string("thinsp"), 0x2009 },
    { ngx_string("thorn"), 0xfe },
    { ngx_string("tilde"), 0x2dc },
    { ngx_string("times"), 0xd7 },
    { ngx_string("trade"), 0x2122 },
    { ngx_string("uArr"), 0x21d1 },
    { ngx_string("uacute"), 0xfa },
    { ngx_string("uarr"), 0x2191 },
    { ngx_string("ucirc"), 0xfb },
    { ngx_string("ugrave"), 0xf9 },
    { ngx_string("uml"), 0xa8 },
    { ngx_string("upsih"), 0x3d2 },
    { ngx_string("upsilon"), 0x3c5 },
    { ngx_string("uuml"), 0xfc },
    { ngx_string("weierp"), 0x2118 },
    { ngx_string("xi"), 0x3be },
    { ngx_string("yacute"), 0xfd },
    { ngx_string("yen"), 0xa5 },
    { ngx_string("yuml"), 0xff },
    { ngx_string("zeta"), 0x3b6 },
    { ngx_string("zwj"), 0x200d },
    { ngx_string("zwnj"), 0x200c }
};

#define NGX_HTTP_ILERT_TEXT_ENTITIES                                          \
    (sizeof(ngx_http_ilert_text_entities)                                     \
     / sizeof(ngx_http_ilert_text_entity_t))

/* no name is longer, in bytes */

#define NGX_HTTP_ILERT_TEXT_LONGEST  (sizeof("thetasym") - 1)


/*
 * The characters from U+0080 to U+009F, which are controls, are written by
 * authors who mean those of Windows-1252, and HTML says that they are these.
 */

static uint16_t  ngx_http_ilert_text_windows[] = {
    0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
    0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178
};


ngx_int_t
ngx_http_ilert_text_unescape(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool)
{
    u_char  *p, *last, *next, *out;

    /* An entity is never shorter than the character that it stands for. */

    out = ngx_pnalloc(pool, html->len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    text->data = out;

    p = html->data;
    last = p + html->len;

    while (p < last) {

        next = (*p == '&') ? ngx_http_ilert_text_entity(p, last, &out) : NULL;

        if (next) {
            p = next;
            continue;
        }

        next = p + 1;

        while (next < last && *next != '&') {
            next++;
        }

        out = ngx_http_ilert_text_piece(out, p, next - p, last);
        p = next;
    }

    text->len = out - text->data;

    return NGX_OK;
}


u_char *
ngx_http_ilert_text_entity(u_char *p, u_char *last, u_char **out)
{
    u_char                        *end;
    ngx_http_ilert_text_entity_t  *entity;

    /* Nearly all entities in Kapacitor's dump of an alert are quotes. */

    if (last - p >= 5 && ngx_memcmp(p, "&#34;", 5) == 0) {
        *(*out)++ = '"';
        return p + 5;
    }

    p++;

    if (p < last && *p == '#') {
        return ngx_http_ilert_text_number(p + 1, last, out);
    }

    last = p + ngx_min((size_t) (last - p), NGX_HTTP_ILERT_TEXT_LONGEST + 1);

    end = ngx_strlchr(p, last, ';');

    if (end == NULL) {
        return NULL;
    }

    entity = ngx_http_ilert_text_name(p, end - p);

    if (entity == NULL) {
        return NULL;
    }

    *out = ngx_http_ilert_text_put(*out, entity->code);

    return end + 1;
}


/* Does the same for an entity with a number, of which p is behind the "#". */

static u_char *
ngx_http_ilert_text_number(u_char *p, u_char *last, u_char **out)
{
    u_char      *start;
    uint32_t     code, digit, base;

    base = 10;

    if (p < last && (*p | 0x20) == 'x') {
        base = 16;
        p++;
    }

    code = 0;

    for (start = p; p < last; p++) {

        if (*p >= '0' && *p <= '9') {
            digit = *p - '0';

        } else if (base == 16 && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f') {
            digit = (*p | 0x20) - 'a' + 10;

        } else {
            break;
        }

        /* There may be any number of digits; code must not overflow. */

        if (code <= 0x10ffff) {
            code = code * base + digit;
        }
    }

    if (p == start || p == last || *p != ';') {
        return NULL;
    }

    if (code >= 0x80 && code <= 0x9f) {
        code = ngx_http_ilert_text_windows[code - 0x80];

    } else if (code == 0 || code > 0x10ffff
               || (code >= 0xd800 && code <= 0xdfff))
    {
        code = NGX_HTTP_ILERT_TEXT_REPLACEMENT;
    }

    *out = ngx_http_ilert_text_put(*out, code);

    return p + 1;
}


/* Case counts.  Returns NULL if there is no such name. */

static ngx_http_ilert_text_entity_t *
ngx_http_ilert_text_name(u_char *name, size_t len)
{
    ngx_int_t                      rc;
    ngx_uint_t                     low, high, i;
    ngx_http_ilert_text_entity_t  *entity;

    low = 0;
    high = NGX_HTTP_ILERT_TEXT_ENTITIES;

    while (low < high) {
        i = (low + high) / 2;
        entity = &ngx_http_ilert_text_entities[i];

        rc = ngx_memn2cmp(name, entity->name.data, len, entity->name.len);

        if (rc == 0) {
            return entity;
        }

        if (rc < 0) {
            high = i;

        } else {
            low = i + 1;
        }
    }

    return NULL;
}
