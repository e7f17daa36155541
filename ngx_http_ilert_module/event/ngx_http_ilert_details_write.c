
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details_marks.h"


/*
 * What is escaped is what CommonMark or GitHub's Markdown would take for
 * markup, in places where it would, but "*", "_", "`", and "~" everywhere:
 * dialects differ about these.
 */


/* a list within so many others is written without numbers */

#define NGX_HTTP_ILERT_DETAILS_LISTS  8

/* a number with more digits begins no item of a list */

#define NGX_HTTP_ILERT_DETAILS_DIGITS  9

/* what would end the URL of a link, or is not in any URL */

#define NGX_HTTP_ILERT_DETAILS_UNSAFE  " <>()\"\\`|"


typedef struct {
    u_char                           *pos;      /* of the text with marks */
    u_char                           *last;

    u_char                           *start;    /* of the Markdown */
    u_char                           *out;
    u_char                           *end;

    /* what comes before the next character of the text */
    ngx_uint_t                        newlines;
    ngx_uint_t                        spaces;

    /* URL of the link or image that is at hand, or a null string */
    ngx_str_t                         link;
    ngx_str_t                         image;

    /* the number of the last item of each list; 0: there are no numbers */
    ngx_uint_t                        lists[NGX_HTTP_ILERT_DETAILS_LISTS];
    ngx_uint_t                        depth;

    unsigned                          blocks:1;

    unsigned                          first:1;  /* a line begins here */
    unsigned                          item:1;   /* so does an item */
    unsigned                          linked:1; /* the "[" is written */
    unsigned                          code:1;   /* within code, */
    unsigned                          fenced:1; /* of which some is written */
} ngx_http_ilert_details_write_t;


static void ngx_http_ilert_details_mark(ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_list(ngx_http_ilert_details_write_t *ctx,
    ngx_uint_t mark);
static void ngx_http_ilert_details_newline(ngx_http_ilert_details_write_t *ctx,
    ngx_uint_t n);
static ngx_str_t ngx_http_ilert_details_url(
    ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_link_end(
    ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_image(ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_image_end(
    ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_code(ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_code_end(
    ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_begin(ngx_http_ilert_details_write_t *ctx);
static void ngx_http_ilert_details_text(ngx_http_ilert_details_write_t *ctx);
static u_char *ngx_http_ilert_details_first(
    ngx_http_ilert_details_write_t *ctx);
static u_char *ngx_http_ilert_details_inline(
    ngx_http_ilert_details_write_t *ctx);
static u_char *ngx_http_ilert_details_bracket(
    ngx_http_ilert_details_write_t *ctx);
static u_char *ngx_http_ilert_details_bare_url(
    ngx_http_ilert_details_write_t *ctx, u_char *p);
static ngx_uint_t ngx_http_ilert_details_is_whole(
    ngx_http_ilert_details_write_t *ctx, ngx_str_t *url, u_char *stop);
static void ngx_http_ilert_details_put_url(ngx_http_ilert_details_write_t *ctx,
    ngx_str_t *url, const char *unsafe);
static void ngx_http_ilert_details_put(ngx_http_ilert_details_write_t *ctx,
    u_char *data, size_t len);


#define ngx_http_ilert_details_literal(ctx, text)                             \
    ngx_http_ilert_details_put(ctx, (u_char *) text, sizeof(text) - 1)


u_char *
ngx_http_ilert_details_write(ngx_http_ilert_details_marked_t *marked,
    u_char *out, u_char *end)
{
    u_char                           ch;
    ngx_http_ilert_details_write_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_http_ilert_details_write_t));

    ctx.pos = marked->pos;
    ctx.last = marked->last;
    ctx.start = out;
    ctx.out = out;
    ctx.end = end;
    ctx.blocks = marked->blocks;
    ctx.first = 1;

    while (ctx.pos < ctx.last) {
        ch = *ctx.pos;

        if (ch < ' ' && ch != '\t' && ch != '\n') {
            ngx_http_ilert_details_mark(&ctx);

        } else if (ctx.code) {
            ngx_http_ilert_details_code(&ctx);

        } else if (ch == ' ' || ch == '\t' || (ch == '\n' && ctx.blocks)) {
            ctx.spaces++;
            ctx.pos++;

        } else if (ch == '\n') {
            ngx_http_ilert_details_newline(&ctx, ctx.newlines + 1);
            ctx.pos++;

        } else {
            ngx_http_ilert_details_text(&ctx);
        }
    }

    ngx_http_ilert_details_link_end(&ctx);
    ngx_http_ilert_details_code_end(&ctx);

    return ctx.out;
}


static void
ngx_http_ilert_details_mark(ngx_http_ilert_details_write_t *ctx)
{
    ngx_uint_t  mark;

    mark = *ctx->pos++;

    switch (mark) {

    case NGX_HTTP_ILERT_DETAILS_LINE:
        ngx_http_ilert_details_newline(ctx, 1);
        break;

    case NGX_HTTP_ILERT_DETAILS_PARAGRAPH:
        ngx_http_ilert_details_newline(ctx, 2);
        break;

    case NGX_HTTP_ILERT_DETAILS_BREAK:
        ngx_http_ilert_details_newline(ctx, ctx->newlines + 1);
        break;

    case NGX_HTTP_ILERT_DETAILS_CODE:
        ngx_http_ilert_details_newline(ctx, 2);
        ctx->code = 1;
        break;

    case NGX_HTTP_ILERT_DETAILS_CODE_END:
        ngx_http_ilert_details_code_end(ctx);
        break;

    case NGX_HTTP_ILERT_DETAILS_LINK:
        ngx_http_ilert_details_link_end(ctx);
        ctx->link = ngx_http_ilert_details_url(ctx);
        break;

    case NGX_HTTP_ILERT_DETAILS_LINK_END:
        ngx_http_ilert_details_link_end(ctx);
        break;

    case NGX_HTTP_ILERT_DETAILS_IMAGE:
        ngx_http_ilert_details_image(ctx);
        break;

    case NGX_HTTP_ILERT_DETAILS_IMAGE_END:
        ngx_http_ilert_details_image_end(ctx);
        break;

    default:
        ngx_http_ilert_details_list(ctx, mark);
    }
}


/*
 * Lists are flat: an item of a list within a list begins a line like any
 * other.  Lists with numbers in each other have other marks, or they would be
 * one list.
 */

static void
ngx_http_ilert_details_list(ngx_http_ilert_details_write_t *ctx,
    ngx_uint_t mark)
{
    ngx_uint_t  n;

    switch (mark) {

    case NGX_HTTP_ILERT_DETAILS_ITEM:
        ngx_http_ilert_details_newline(ctx, 1);
        ctx->item = 1;

        n = ctx->depth - 1;

        if (n < NGX_HTTP_ILERT_DETAILS_LISTS && ctx->lists[n]) {
            ctx->lists[n]++;
        }

        return;

    case NGX_HTTP_ILERT_DETAILS_ITEM_END:
        ngx_http_ilert_details_newline(ctx, 1);
        break;

    case NGX_HTTP_ILERT_DETAILS_LIST_END:
        if (ctx->depth) {
            ctx->depth--;
        }

        ngx_http_ilert_details_newline(ctx, ctx->depth ? 1 : 2);
        break;

    default: /* BULLETS, NUMBERS */
        ngx_http_ilert_details_newline(ctx, ctx->depth ? 1 : 2);

        if (ctx->depth < NGX_HTTP_ILERT_DETAILS_LISTS) {
            ctx->lists[ctx->depth] = (mark == NGX_HTTP_ILERT_DETAILS_NUMBERS);
        }

        ctx->depth++;
    }

    ctx->item = 0;
}


/* Before the next character there will be at least n line breaks. */

static void
ngx_http_ilert_details_newline(ngx_http_ilert_details_write_t *ctx,
    ngx_uint_t n)
{
    /* A link does not go on over a line. */

    if (ctx->linked) {
        ngx_http_ilert_details_link_end(ctx);
    }

    ctx->newlines = ngx_max(ctx->newlines, n);
    ctx->spaces = 0;
}


/* Reads a URL behind its mark. */

static ngx_str_t
ngx_http_ilert_details_url(ngx_http_ilert_details_write_t *ctx)
{
    ngx_str_t  url;

    url.data = ctx->pos;

    while (*ctx->pos != NGX_HTTP_ILERT_DETAILS_URL_END) {
        ctx->pos++;
    }

    url.len = ctx->pos++ - url.data;

    return url;
}


/*
 * A link without a text is not seen, and is not written.  In code the URL
 * follows the text.
 */

static void
ngx_http_ilert_details_link_end(ngx_http_ilert_details_write_t *ctx)
{
    if (ctx->linked) {
        ngx_http_ilert_details_literal(ctx, "](");
        ngx_http_ilert_details_put_url(ctx, &ctx->link,
                                       NGX_HTTP_ILERT_DETAILS_UNSAFE);
        ngx_http_ilert_details_literal(ctx, ")");

    } else if (ctx->link.data && ctx->fenced) {
        ngx_http_ilert_details_literal(ctx, " (");
        ngx_http_ilert_details_put(ctx, ctx->link.data, ctx->link.len);
        ngx_http_ilert_details_literal(ctx, ")");
    }

    ctx->linked = 0;
    ngx_str_null(&ctx->link);
}


static void
ngx_http_ilert_details_image(ngx_http_ilert_details_write_t *ctx)
{
    ctx->image = ngx_http_ilert_details_url(ctx);

    if (ctx->code) {
        return;
    }

    ngx_http_ilert_details_begin(ctx);
    ngx_http_ilert_details_literal(ctx, "![");

    ctx->first = 0;
}


static void
ngx_http_ilert_details_image_end(ngx_http_ilert_details_write_t *ctx)
{
    if (!ctx->code) {
        ngx_http_ilert_details_literal(ctx, "](");
        ngx_http_ilert_details_put_url(ctx, &ctx->image,
                                       NGX_HTTP_ILERT_DETAILS_UNSAFE);
        ngx_http_ilert_details_literal(ctx, ")");

        ctx->spaces = 0;
    }

    ngx_str_null(&ctx->image);
}


/*
 * Writes a character of code, in which nothing is escaped.
 */

static void
ngx_http_ilert_details_code(ngx_http_ilert_details_write_t *ctx)
{
    u_char  ch;

    ch = *ctx->pos++;

    if (ch == '\n') {
        ctx->newlines += ctx->fenced;
        return;
    }

    if (!ctx->fenced) {
        ctx->item = 0;
        ngx_http_ilert_details_begin(ctx);
        ngx_http_ilert_details_literal(ctx, "```\n");

        ctx->fenced = 1;
        ctx->first = 1;
    }

    for ( /* void */ ; ctx->newlines; ctx->newlines--) {
        ngx_http_ilert_details_literal(ctx, "\n");
        ctx->first = 1;
    }

    if (ch == '`' && ctx->first) {

        /* In this column it cannot be the end of the code. */

        ngx_http_ilert_details_literal(ctx, "    ");
    }

    ngx_http_ilert_details_put(ctx, &ch, 1);

    ctx->first = (ctx->first && ch == ' ');
}


static void
ngx_http_ilert_details_code_end(ngx_http_ilert_details_write_t *ctx)
{
    if (!ctx->code) {
        return;
    }

    if (ctx->fenced) {
        ngx_http_ilert_details_literal(ctx, "\n```");
    }

    ctx->code = 0;
    ctx->fenced = 0;
    ctx->first = 0;
    ctx->item = 0;
    ctx->newlines = 2;
}


/* Writes what comes before the next character. */

static void
ngx_http_ilert_details_begin(ngx_http_ilert_details_write_t *ctx)
{
    u_char      buf[NGX_INT_T_LEN + 2], *p;
    ngx_uint_t  i, n;

    if (ctx->newlines && ctx->out != ctx->start) {

        if (ctx->newlines == 1 && !ctx->item) {
            ngx_http_ilert_details_literal(ctx, "  ");
        }

        for (i = 0; i < ctx->newlines; i++) {
            ngx_http_ilert_details_literal(ctx, "\n");
        }

        ctx->first = 1;
    }

    if (!ctx->first && ctx->spaces) {
        n = ctx->blocks ? 1 : ctx->spaces;

        for (i = 0; i < n; i++) {
            ngx_http_ilert_details_literal(ctx, " ");
        }
    }

    if (ctx->item) {
        n = ctx->depth - 1;
        p = buf;

        if (n < NGX_HTTP_ILERT_DETAILS_LISTS && ctx->lists[n]) {
            p = ngx_sprintf(p, "%ui%c ", ctx->lists[n] - 1,
                            (n % 2) ? ')' : '.');

        } else {
            *p++ = '-';
            *p++ = ' ';
        }

        ngx_http_ilert_details_put(ctx, buf, p - buf);
    }

    ctx->newlines = 0;
    ctx->spaces = 0;
    ctx->item = 0;

    if (ctx->link.data == NULL || ctx->linked || ctx->code) {
        return;
    }

    if (ctx->out != ctx->start && ctx->out[-1] == '!') {

        /* It would make an image of the link. */

        ctx->out--;
        ngx_http_ilert_details_literal(ctx, "\\!");
    }

    ngx_http_ilert_details_literal(ctx, "[");

    ctx->linked = 1;
}


static void
ngx_http_ilert_details_text(ngx_http_ilert_details_write_t *ctx)
{
    ngx_http_ilert_details_begin(ctx);

    if (ctx->first) {
        ctx->first = 0;
        ctx->pos = ngx_http_ilert_details_first(ctx);
    }

    if (ctx->pos < ctx->last && *ctx->pos > ' ') {
        ctx->pos = ngx_http_ilert_details_inline(ctx);
    }
}


/*
 * Escapes what would be markup at the beginning of a line.  Returns the place
 * behind what it has written of the text.
 */

static u_char *
ngx_http_ilert_details_first(ngx_http_ilert_details_write_t *ctx)
{
    u_char      *p, *digits, next;
    ngx_uint_t   markup;

    p = ctx->pos;

    /* A mark or the end count as white space, as what comes is not known. */

    next = (p + 1 < ctx->last) ? p[1] : ' ';

    switch (*p) {

    case '#':
    case '>':
    case '|':
        markup = 1;
        break;

    case '-':
        markup = (next < 0x80 && !ngx_http_ilert_details_alnum(next));
        break;

    case '+':
        markup = (next <= ' ');
        break;

    case '=':
        markup = (next <= ' ' || next == '=');
        break;

    case ':':
        markup = (next == '-');
        break;

    default:

        for (digits = p;
             p < ctx->last && ngx_http_ilert_details_digit(*p);
             p++)
        {
            /* void */
        }

        if (p == digits || p - digits > NGX_HTTP_ILERT_DETAILS_DIGITS
            || p == ctx->last || (*p != '.' && *p != ')')
            || (p + 1 < ctx->last && p[1] > ' '))
        {
            return digits;
        }

        ngx_http_ilert_details_put(ctx, digits, p - digits);
        markup = 1;
    }

    if (!markup) {
        return p;
    }

    ngx_http_ilert_details_literal(ctx, "\\");
    ngx_http_ilert_details_put(ctx, p, 1);

    return p + 1;
}


/*
 * Writes a character or more, escaped if it would be markup anywhere.  Returns
 * the place behind what has been written of the text.
 */

static u_char *
ngx_http_ilert_details_inline(ngx_http_ilert_details_write_t *ctx)
{
    u_char      *p, *end, next;
    ngx_uint_t   markup;

    p = ctx->pos;
    next = (p + 1 < ctx->last) ? p[1] : ' ';

    switch (*p) {

    case '*':
    case '_':
    case '`':
    case '~':
        markup = 1;
        break;

    case '\\':

        /* A URL may get a "<", which must not be escaped by this. */

        markup = !ngx_http_ilert_details_alnum(next)
                 || ngx_http_ilert_details_bare(p + 1, ctx->last, &end);
        break;

    case '&':
        markup = ngx_http_ilert_details_entity(p, ctx->last);
        break;

    case '<':
        end = ngx_http_ilert_details_bare_url(ctx, p);

        if (end) {
            return end;
        }

        markup = (next < ' ' || ngx_strchr("/!?", next)
                  || ngx_http_ilert_details_letter(next));
        break;

    case '[':
    case ']':
        return ngx_http_ilert_details_bracket(ctx);

    case 'f':
    case 'F':
    case 'h':
    case 'H':
    case 'w':
    case 'W':
        end = ngx_http_ilert_details_bare_url(ctx, p);

        if (end) {
            return end;
        }

        /* fall through */

    default:
        markup = 0;
    }

    if (markup) {
        ngx_http_ilert_details_literal(ctx, "\\");
    }

    end = p + 1;

    if (ngx_http_ilert_details_letter(*p)) {

        /* The rest of a word is no URL and has no markup. */

        while (end < ctx->last && ngx_http_ilert_details_letter(*end)) {
            end++;
        }
    }

    ngx_http_ilert_details_put(ctx, p, end - p);

    return end;
}


/*
 * Brackets stay as they are, but for those of a link: in its text they are
 * escaped, and so is what would be a link and is none that may stay.
 */

static u_char *
ngx_http_ilert_details_bracket(ngx_http_ilert_details_write_t *ctx)
{
    u_char      *p, *end, next;
    ngx_uint_t   markup;

    p = ctx->pos;

    if (ctx->linked || ctx->image.data) {
        markup = 1;

    } else if (*p == '[') {
        end = ngx_http_ilert_details_written(p, ctx->last);

        if (end) {
            ngx_http_ilert_details_put(ctx, p, end - p);
            return end;
        }

        markup = 0;

    } else {
        next = (p + 1 < ctx->last) ? p[1] : ' ';
        markup = (next < ' ' || ngx_strchr("([:", next));
    }

    if (markup) {
        ngx_http_ilert_details_literal(ctx, "\\");
    }

    ngx_http_ilert_details_put(ctx, p, 1);

    return p + 1;
}


/*
 * Writes the URL at p, so that it can be clicked and nothing in it is taken
 * for markup.  If p is a "<", a URL and a ">" must follow.  Returns the place
 * behind what has been written of the text, or NULL.
 */

static u_char *
ngx_http_ilert_details_bare_url(ngx_http_ilert_details_write_t *ctx,
    u_char *p)
{
    u_char      *end, *stop;
    ngx_str_t    url;
    ngx_uint_t   pointed;

    if (ctx->linked || ctx->image.data) {
        return NULL;
    }

    pointed = (*p == '<');

    if (!pointed && ctx->out != ctx->start
        && ngx_http_ilert_details_letter(ctx->out[-1]))
    {
        return NULL;
    }

    url.data = p + pointed;
    end = ngx_http_ilert_details_bare(url.data, ctx->last, &stop);

    if (end == NULL) {
        return NULL;
    }

    url.len = end - url.data;

    if (pointed) {

        if (end == ctx->last || *end != '>' || (*url.data | 0x20) == 'w') {
            return NULL;
        }

    } else if (ngx_http_ilert_details_is_whole(ctx, &url, stop)) {
        ngx_http_ilert_details_put(ctx, url.data, url.len);
        return end;
    }

    ngx_http_ilert_details_literal(ctx, "<");

    if ((*url.data | 0x20) == 'w') {
        ngx_http_ilert_details_literal(ctx, "http://");
    }

    ngx_http_ilert_details_put_url(ctx, &url, "");
    ngx_http_ilert_details_literal(ctx, ">");

    return end + pointed;
}


/*
 * Returns true if a URL needs no pointed brackets: it has no markup, and what
 * is behind it does not become a part of it.  GitHub's Markdown takes all for
 * a URL that comes before the next white space, even what is escaped.
 */

static ngx_uint_t
ngx_http_ilert_details_is_whole(ngx_http_ilert_details_write_t *ctx,
    ngx_str_t *url, u_char *stop)
{
    u_char  *p, *end;

    end = url->data + url->len;

    for (p = url->data; p < end; p++) {
        if (ngx_strchr("*_~[]", *p)
            || (*p == '&' && ngx_http_ilert_details_entity(p, end)))
        {
            return 0;
        }
    }

    for ( /* void */ ; p < stop; p++) {
        if (ngx_strchr("*_~];", *p)) {
            return 0;
        }
    }

    return stop == ctx->last || *stop == ' '
           || *stop < NGX_HTTP_ILERT_DETAILS_LINK;
}


/*
 * Writes a URL that is in brackets; characters that must not be in it are
 * percent-encoded.
 */

static void
ngx_http_ilert_details_put_url(ngx_http_ilert_details_write_t *ctx,
    ngx_str_t *url, const char *unsafe)
{
    u_char      *p, *last, buf[sizeof("%XX") - 1];

    last = url->data + url->len;

    for (p = url->data; p < last; p++) {

        if (*p == '&' && ngx_http_ilert_details_entity(p, last)) {
            ngx_http_ilert_details_literal(ctx, "&amp;");

        } else if (ngx_strchr(unsafe, *p)) {
            (void) ngx_sprintf(buf, "%%%02Xd", (ngx_int_t) *p);
            ngx_http_ilert_details_put(ctx, buf, sizeof(buf));

        } else {
            ngx_http_ilert_details_put(ctx, p, 1);
        }
    }
}


/* What does not fit is not written; the caller's buffer is large enough. */

static void
ngx_http_ilert_details_put(ngx_http_ilert_details_write_t *ctx, u_char *data,
    size_t len)
{
    if ((size_t) (ctx->end - ctx->out) >= len) {
        ctx->out = ngx_cpymem(ctx->out, data, len);
    }
}
