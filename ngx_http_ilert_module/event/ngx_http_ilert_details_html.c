
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details_marks.h"
#include "ngx_http_ilert_text.h"


/*
 * A tag is what its author means as one: its name is known, and its attributes
 * look like attributes.  A browser takes more for tags, "<file>" as well as
 * "<b and c>" in "a<b and c>d", and does not show it.  Of an alert nothing may
 * be lost.
 */


/*
 * Elements that go with all that is in them have these in place of a mark,
 * which are also the indexes of their end tags from the first one on.
 */

typedef enum {
    NGX_HTTP_ILERT_DETAILS_SCRIPT = 0xf0,
    NGX_HTTP_ILERT_DETAILS_STYLE,
    NGX_HTTP_ILERT_DETAILS_SVG,
    NGX_HTTP_ILERT_DETAILS_TITLE,
    NGX_HTTP_ILERT_DETAILS_COMMENT
} ngx_http_ilert_details_skip_e;


typedef struct {
    ngx_str_t                            name;

    /* what stands for its start tag and for its end tag; 0: nothing */
    u_char                               start;
    u_char                               end;
} ngx_http_ilert_details_element_t;


/* The attributes that count, as they are in the HTML. */

typedef struct {
    ngx_str_t                            href;
    ngx_str_t                            src;
    ngx_str_t                            alt;
} ngx_http_ilert_details_attributes_t;


typedef struct {
    u_char                              *last;      /* of the HTML */
    u_char                              *out;

    /*
     * A bit for each kind of what is skipped: no end of it follows.  So that
     * end is looked for once, and not again from each beginning on.
     */
    ngx_uint_t                           unended;

    ngx_uint_t                           blocks;    /* unsigned  blocks:1; */
} ngx_http_ilert_details_html_t;


static u_char *ngx_http_ilert_details_char(ngx_http_ilert_details_html_t *ctx,
    u_char *p, u_char *last);
static u_char *ngx_http_ilert_details_tag(ngx_http_ilert_details_html_t *ctx,
    u_char *p);
static void ngx_http_ilert_details_start(ngx_http_ilert_details_html_t *ctx,
    u_char mark, ngx_http_ilert_details_attributes_t *attributes);
static void ngx_http_ilert_details_image(ngx_http_ilert_details_html_t *ctx,
    ngx_http_ilert_details_attributes_t *attributes);
static ngx_uint_t ngx_http_ilert_details_put_url(
    ngx_http_ilert_details_html_t *ctx, u_char mark, ngx_str_t *url);
static u_char *ngx_http_ilert_details_declaration(
    ngx_http_ilert_details_html_t *ctx, u_char *p);
static u_char *ngx_http_ilert_details_skip(ngx_http_ilert_details_html_t *ctx,
    ngx_uint_t kind, u_char *p);
static u_char *ngx_http_ilert_details_attributes(u_char *p, u_char *last,
    ngx_http_ilert_details_attributes_t *attributes);
static u_char *ngx_http_ilert_details_value(u_char *p, u_char *last,
    ngx_str_t *value);
static ngx_uint_t ngx_http_ilert_details_is_flag(ngx_str_t *name);
static ngx_uint_t ngx_http_ilert_details_is_office(ngx_str_t *name);
static ngx_http_ilert_details_element_t *ngx_http_ilert_details_element(
    ngx_str_t *name);


/* The elements of HTML, in the order of their names. */

static ngx_http_ilert_details_element_t  ngx_http_ilert_details_elements[] = {
    { ngx_string("a"), NGX_HTTP_ILERT_DETAILS_LINK,
      NGX_HTTP_ILERT_DETAILS_LINK_END },
    { ngx_string("abbr"), 0, 0 },
    { ngx_string("acronym"), 0, 0 },
    { ngx_string("address"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("area"), 0, 0 },
    { ngx_string("article"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("aside"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("audio"), 0, 0 },
    { ngx_string("b"), 0, 0 },
    { ngx_string("base"), 0, 0 },
    { ngx_string("basefont"), 0, 0 },
    { ngx_string("bdi"), 0, 0 },
    { ngx_string("bdo"), 0, 0 },
    { ngx_string("big"), 0, 0 },
    { ngx_string("blockquote"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("body"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("br"), NGX_HTTP_ILERT_DETAILS_BREAK,
      NGX_HTTP_ILERT_DETAILS_BREAK },
    { ngx_string("button"), 0, 0 },
    { ngx_string("canvas"), 0, 0 },
    { ngx_string("caption"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("center"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("cite"), 0, 0 },
    { ngx_string("code"), 0, 0 },
    { ngx_string("col"), 0, 0 },
    { ngx_string("colgroup"), 0, 0 },
    { ngx_string("data"), 0, 0 },
    { ngx_string("datalist"), 0, 0 },
    { ngx_string("dd"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("del"), 0, 0 },
    { ngx_string("details"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("dfn"), 0, 0 },
    { ngx_string("dir"), NGX_HTTP_ILERT_DETAILS_BULLETS,
      NGX_HTTP_ILERT_DETAILS_LIST_END },
    { ngx_string("div"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("dl"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("dt"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("em"), 0, 0 },
    { ngx_string("embed"), 0, 0 },
    { ngx_string("fieldset"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("figcaption"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("figure"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("font"), 0, 0 },
    { ngx_string("footer"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("form"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("frame"), 0, 0 },
    { ngx_string("frameset"), 0, 0 },
    { ngx_string("h1"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("h2"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("h3"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("h4"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("h5"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("h6"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("head"), 0, 0 },
    { ngx_string("header"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("hr"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("html"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("i"), 0, 0 },
    { ngx_string("iframe"), 0, 0 },
    { ngx_string("img"), NGX_HTTP_ILERT_DETAILS_IMAGE, 0 },
    { ngx_string("input"), 0, 0 },
    { ngx_string("ins"), 0, 0 },
    { ngx_string("kbd"), 0, 0 },
    { ngx_string("label"), 0, 0 },
    { ngx_string("legend"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("li"), NGX_HTTP_ILERT_DETAILS_ITEM,
      NGX_HTTP_ILERT_DETAILS_ITEM_END },
    { ngx_string("link"), 0, 0 },
    { ngx_string("main"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("map"), 0, 0 },
    { ngx_string("mark"), 0, 0 },
    { ngx_string("menu"), NGX_HTTP_ILERT_DETAILS_BULLETS,
      NGX_HTTP_ILERT_DETAILS_LIST_END },
    { ngx_string("meta"), 0, 0 },
    { ngx_string("meter"), 0, 0 },
    { ngx_string("nav"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("noframes"), 0, 0 },
    { ngx_string("noscript"), 0, 0 },
    { ngx_string("object"), 0, 0 },
    { ngx_string("ol"), NGX_HTTP_ILERT_DETAILS_NUMBERS,
      NGX_HTTP_ILERT_DETAILS_LIST_END },
    { ngx_string("optgroup"), 0, 0 },
    { ngx_string("option"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("output"), 0, 0 },
    { ngx_string("p"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("param"), 0, 0 },
    { ngx_string("picture"), 0, 0 },
    { ngx_string("pre"), NGX_HTTP_ILERT_DETAILS_CODE,
      NGX_HTTP_ILERT_DETAILS_CODE_END },
    { ngx_string("progress"), 0, 0 },
    { ngx_string("q"), 0, 0 },
    { ngx_string("s"), 0, 0 },
    { ngx_string("samp"), 0, 0 },
    { ngx_string("script"), NGX_HTTP_ILERT_DETAILS_SCRIPT, 0 },
    { ngx_string("section"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("select"), 0, 0 },
    { ngx_string("small"), 0, 0 },
    { ngx_string("source"), 0, 0 },
    { ngx_string("span"), 0, 0 },
    { ngx_string("strike"), 0, 0 },
    { ngx_string("strong"), 0, 0 },
    { ngx_string("style"), NGX_HTTP_ILERT_DETAILS_STYLE, 0 },
    { ngx_string("sub"), 0, 0 },
    { ngx_string("summary"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("sup"), 0, 0 },
    { ngx_string("svg"), NGX_HTTP_ILERT_DETAILS_SVG, 0 },
    { ngx_string("table"), NGX_HTTP_ILERT_DETAILS_PARAGRAPH,
      NGX_HTTP_ILERT_DETAILS_PARAGRAPH },
    { ngx_string("tbody"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("td"), ' ', ' ' },
    { ngx_string("template"), 0, 0 },
    { ngx_string("textarea"), 0, 0 },
    { ngx_string("tfoot"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("th"), ' ', ' ' },
    { ngx_string("thead"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("time"), 0, 0 },
    { ngx_string("title"), NGX_HTTP_ILERT_DETAILS_TITLE, 0 },
    { ngx_string("tr"), NGX_HTTP_ILERT_DETAILS_LINE,
      NGX_HTTP_ILERT_DETAILS_LINE },
    { ngx_string("track"), 0, 0 },
    { ngx_string("tt"), 0, 0 },
    { ngx_string("u"), 0, 0 },
    { ngx_string("ul"), NGX_HTTP_ILERT_DETAILS_BULLETS,
      NGX_HTTP_ILERT_DETAILS_LIST_END },
    { ngx_string("var"), 0, 0 },
    { ngx_string("video"), 0, 0 },
    { ngx_string("wbr"), 0, 0 }
};

#define NGX_HTTP_ILERT_DETAILS_ELEMENTS                                       \
    (sizeof(ngx_http_ilert_details_elements)                                  \
     / sizeof(ngx_http_ilert_details_element_t))


/* The index is a ngx_http_ilert_details_skip_e, less the first of them. */

static ngx_str_t  ngx_http_ilert_details_ends[] = {
    ngx_string("</script"),
    ngx_string("</style"),
    ngx_string("</svg"),
    ngx_string("</title"),
    ngx_string("-->")
};


/* Attributes that have no value.  A comparison such as a<b has none. */

static ngx_str_t  ngx_http_ilert_details_flags[] = {
    ngx_string("alt"),
    ngx_string("async"),
    ngx_string("autofocus"),
    ngx_string("autoplay"),
    ngx_string("border"),
    ngx_string("checked"),
    ngx_string("compact"),
    ngx_string("controls"),
    ngx_string("defer"),
    ngx_string("disabled"),
    ngx_string("download"),
    ngx_string("hidden"),
    ngx_string("ismap"),
    ngx_string("itemscope"),
    ngx_string("loop"),
    ngx_string("multiple"),
    ngx_string("muted"),
    ngx_string("nohref"),
    ngx_string("noshade"),
    ngx_string("novalidate"),
    ngx_string("nowrap"),
    ngx_string("open"),
    ngx_string("readonly"),
    ngx_string("required"),
    ngx_string("reversed"),
    ngx_string("selected"),
    ngx_null_string
};


void
ngx_http_ilert_details_html(ngx_http_ilert_details_marked_t *marked,
    ngx_str_t *html)
{
    u_char                         *p, *next;
    ngx_http_ilert_details_html_t   ctx;

    p = html->data;

    ctx.last = p + html->len;
    ctx.out = marked->pos;
    ctx.unended = 0;
    ctx.blocks = 0;

    while (p < ctx.last) {

        if (*p == '<') {
            next = ngx_http_ilert_details_tag(&ctx, p);

            if (next) {
                p = next;
                continue;
            }
        }

        p = ngx_http_ilert_details_char(&ctx, p, ctx.last);
    }

    marked->last = ctx.out;
    marked->blocks = ctx.blocks;
}


/*
 * Copies the byte or the entity at p, but no control character, which would be
 * a mark.  Returns the place behind it.
 */

static u_char *
ngx_http_ilert_details_char(ngx_http_ilert_details_html_t *ctx, u_char *p,
    u_char *last)
{
    u_char  *next, *start;

    start = ctx->out;
    next = (*p == '&') ? ngx_http_ilert_text_entity(p, last, &ctx->out) : NULL;

    if (next == NULL) {
        *ctx->out++ = *p;
        next = p + 1;
    }

    if ((*start >= ' ' && *start != 0x7f) || *start == '\t'
        || *start == '\n')
    {
        return next;
    }

    if (*start == '\r' && (next == last || *next != '\n')) {
        *start = '\n';
        return next;
    }

    ctx->out = start;

    return next;
}


/*
 * Returns the place behind the tag, comment, or declaration at p, and puts
 * what stands for it; returns NULL if there is none.
 *
 * A tag without its ">" ends at the next "<", unless that is in quotes.  So
 * each byte is looked at for a few tags at most: of the tags that are begun,
 * one can be in "", one in '', and one in neither.
 */

static u_char *
ngx_http_ilert_details_tag(ngx_http_ilert_details_html_t *ctx, u_char *p)
{
    u_char                               *end;
    ngx_str_t                             name;
    ngx_uint_t                            closing;
    ngx_http_ilert_details_element_t     *element;
    ngx_http_ilert_details_attributes_t   attributes;

    name.data = p + 1;

    if (name.data == ctx->last) {
        return NULL;
    }

    if (*name.data == '!' || *name.data == '?') {
        return ngx_http_ilert_details_declaration(ctx, p);
    }

    closing = (*name.data == '/');
    name.data += closing;

    if (name.data == ctx->last || !ngx_http_ilert_details_letter(*name.data)) {
        return NULL;
    }

    for (p = name.data; p < ctx->last; p++) {
        if (!ngx_http_ilert_details_alnum(*p) && *p != ':') {
            break;
        }
    }

    name.len = p - name.data;

    element = ngx_http_ilert_details_element(&name);

    if (element == NULL && !ngx_http_ilert_details_is_office(&name)) {
        return NULL;
    }

    end = ngx_http_ilert_details_attributes(p, ctx->last, &attributes);

    if (end == NULL || element == NULL) {
        return end;
    }

    if (closing) {
        ngx_http_ilert_details_start(ctx, element->end, &attributes);
        return end;
    }

    if (element->start >= NGX_HTTP_ILERT_DETAILS_SCRIPT) {
        p = (end[-2] == '/') ? NULL
                             : ngx_http_ilert_details_skip(ctx, element->start,
                                                           end);
        return p ? p : end;
    }

    ngx_http_ilert_details_start(ctx, element->start, &attributes);

    return end;
}


/* Puts what stands for a tag. */

static void
ngx_http_ilert_details_start(ngx_http_ilert_details_html_t *ctx, u_char mark,
    ngx_http_ilert_details_attributes_t *attributes)
{
    switch (mark) {

    case 0:
        return;

    case NGX_HTTP_ILERT_DETAILS_IMAGE:
        ngx_http_ilert_details_image(ctx, attributes);
        return;

    case NGX_HTTP_ILERT_DETAILS_LINK:

        if (!ngx_http_ilert_details_put_url(ctx, mark, &attributes->href)) {

            /* Any anchor ends the one before it. */

            *ctx->out++ = NGX_HTTP_ILERT_DETAILS_LINK_END;
        }

        return;

    case NGX_HTTP_ILERT_DETAILS_LINK_END:
        break;

    default:
        ctx->blocks = 1;
    }

    *ctx->out++ = mark;
}


/* An image that cannot be shown, such as a part of a mail, leaves its text. */

static void
ngx_http_ilert_details_image(ngx_http_ilert_details_html_t *ctx,
    ngx_http_ilert_details_attributes_t *attributes)
{
    u_char      *p, *last, *start;
    ngx_uint_t   image;

    image = ngx_http_ilert_details_put_url(ctx, NGX_HTTP_ILERT_DETAILS_IMAGE,
                                           &attributes->src);

    p = attributes->alt.data;
    last = p + attributes->alt.len;

    while (p < last) {
        start = ctx->out;
        p = ngx_http_ilert_details_char(ctx, p, last);

        if (*start < ' ') {
            *start = ' ';
        }
    }

    if (image) {
        *ctx->out++ = NGX_HTTP_ILERT_DETAILS_IMAGE_END;
    }
}


/*
 * Puts the mark, the URL as browsers read it, which is without control
 * characters, and URL_END.  Puts nothing and returns 0 if nothing may lead
 * there.
 */

static ngx_uint_t
ngx_http_ilert_details_put_url(ngx_http_ilert_details_html_t *ctx, u_char mark,
    ngx_str_t *url)
{
    u_char  *p, *last, *start, *ch;

    start = ctx->out;
    *ctx->out++ = mark;

    p = url->data;
    last = p + url->len;

    while (p < last) {
        ch = ctx->out;
        p = ngx_http_ilert_details_char(ctx, p, last);

        if (*ch < ' ' || (*ch == ' ' && ch == start + 1)) {
            ctx->out = ch;
        }
    }

    while (ctx->out > start + 1 && ctx->out[-1] == ' ') {
        ctx->out--;
    }

    if (!ngx_http_ilert_details_allowed(start + 1, ctx->out, 0)) {
        ctx->out = start;
        return 0;
    }

    *ctx->out++ = NGX_HTTP_ILERT_DETAILS_URL_END;

    return 1;
}


/* Returns the place behind what goes with all that is in it, or NULL. */

static u_char *
ngx_http_ilert_details_declaration(ngx_http_ilert_details_html_t *ctx,
    u_char *p)
{
    size_t  left;

    left = ctx->last - p;

    if (left >= 4 && ngx_memcmp(p, "<!--", 4) == 0) {

        /* The shortest one is <!-->. */

        return ngx_http_ilert_details_skip(ctx, NGX_HTTP_ILERT_DETAILS_COMMENT,
                                           p + 2);
    }

    if ((left < 9 || ngx_strncasecmp(p, (u_char *) "<!doctype", 9) != 0)
        && (left < 5 || ngx_strncasecmp(p, (u_char *) "<?xml", 5) != 0)
        && (left < 3 || ngx_memcmp(p, "<![", 3) != 0))
    {
        return NULL;
    }

    for (p++; p < ctx->last && *p != '<'; p++) {
        if (*p == '>') {
            return p + 1;
        }
    }

    return NULL;
}


/* Returns the place behind the end, or NULL if there is none. */

static u_char *
ngx_http_ilert_details_skip(ngx_http_ilert_details_html_t *ctx,
    ngx_uint_t kind, u_char *p)
{
    ngx_str_t   *end;
    ngx_uint_t   bit;

    kind -= NGX_HTTP_ILERT_DETAILS_SCRIPT;
    bit = (ngx_uint_t) 1 << kind;

    if (ctx->unended & bit) {
        return NULL;
    }

    end = &ngx_http_ilert_details_ends[kind];

    p = ngx_strlcasestrn(p, ctx->last, end->data, end->len - 1);

    if (p) {
        p = ngx_strlchr(p + end->len - 1, ctx->last, '>');
    }

    if (p == NULL) {
        ctx->unended |= bit;
        return NULL;
    }

    return p + 1;
}


/*
 * Reads attributes from p on, which is behind the name of a tag.  Returns the
 * place behind the ">", or NULL if this is no tag.
 */

static u_char *
ngx_http_ilert_details_attributes(u_char *p, u_char *last,
    ngx_http_ilert_details_attributes_t *attributes)
{
    ngx_str_t    name, value, *wanted;
    ngx_uint_t   i;

    static ngx_str_t  names[] = {
        ngx_string("href"), ngx_string("src"), ngx_string("alt")
    };

    ngx_memzero(attributes, sizeof(ngx_http_ilert_details_attributes_t));

    for ( ;; ) {

        while (p < last && (*p <= ' ' || *p == '/')) {
            p++;
        }

        if (p == last) {
            return NULL;
        }

        if (*p == '>') {
            return p + 1;
        }

        name.data = p;

        while (p < last && *p > ' ' && !ngx_strchr("=/>\"'<`", *p)) {
            p++;
        }

        name.len = p - name.data;

        p = ngx_http_ilert_details_value(p, last, &value);

        if (name.len == 0 || p == NULL
            || (value.data == NULL && !ngx_http_ilert_details_is_flag(&name)))
        {
            return NULL;
        }

        for (i = 0; i < 3; i++) {
            wanted = &attributes->href + i;

            if (wanted->data == NULL && name.len == names[i].len
                && ngx_strncasecmp(name.data, names[i].data, name.len) == 0)
            {
                *wanted = value;
            }
        }
    }
}


/*
 * Reads the "=" and the value behind the name of an attribute; the value is
 * a null string if there is none.  Returns the place behind it, or NULL if
 * this is no attribute.
 */

static u_char *
ngx_http_ilert_details_value(u_char *p, u_char *last, ngx_str_t *value)
{
    u_char  *end;

    ngx_str_null(value);

    while (p < last && *p <= ' ') {
        p++;
    }

    if (p == last || *p != '=') {
        return p;
    }

    for (p++; p < last && *p <= ' '; p++) { /* void */ }

    if (p < last && (*p == '"' || *p == '\'')) {
        end = ngx_strlchr(p + 1, last, *p);

        if (end == NULL) {
            return NULL;
        }

        value->data = p + 1;
        value->len = end - value->data;

        return end + 1;
    }

    value->data = p;

    for ( /* void */ ; p < last && *p > ' ' && *p != '>'; p++) {
        if (*p == '<' || *p == '"' || *p == '\'' || *p == '`') {
            return NULL;
        }
    }

    value->len = p - value->data;

    return p;
}


/* Returns true if an attribute of that name needs no value. */

static ngx_uint_t
ngx_http_ilert_details_is_flag(ngx_str_t *name)
{
    ngx_str_t  *flag;

    for (flag = ngx_http_ilert_details_flags; flag->len; flag++) {
        if (flag->len == name->len
            && ngx_strncasecmp(flag->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Mails made by Microsoft Office have tags such as <o:p> and <st1:place>. */

static ngx_uint_t
ngx_http_ilert_details_is_office(ngx_str_t *name)
{
    u_char  *p;

    p = ngx_strlchr(name->data, name->data + name->len, ':');

    if (p == NULL) {
        return 0;
    }

    return (p - name->data == 1 && ngx_strchr("movwx", *name->data | 0x20))
           || (p - name->data == 3
               && ngx_strncasecmp(name->data, (u_char *) "st1", 3) == 0);
}


/* Case does not count.  Returns NULL if there is no such element. */

static ngx_http_ilert_details_element_t *
ngx_http_ilert_details_element(ngx_str_t *name)
{
    size_t                             len;
    ngx_int_t                          rc;
    ngx_uint_t                         low, high, i;
    ngx_http_ilert_details_element_t  *element;

    low = 0;
    high = NGX_HTTP_ILERT_DETAILS_ELEMENTS;

    while (low < high) {
        i = (low + high) / 2;
        element = &ngx_http_ilert_details_elements[i];

        len = ngx_min(name->len, element->name.len);
        rc = ngx_strncasecmp(name->data, element->name.data, len);

        if (rc == 0) {
            rc = (ngx_int_t) name->len - (ngx_int_t) element->name.len;
        }

        if (rc == 0) {
            return element;
        }

        if (rc < 0) {
            high = i;

        } else {
            low = i + 1;
        }
    }

    return NULL;
}
