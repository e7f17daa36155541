
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_fault.h"


typedef struct {
    const char  *code;
    const char  *text;
    ngx_uint_t   detail;    /* 1: a detail is added to the text */
} ngx_http_ilert_fault_t;


/* the index is an ngx_http_ilert_fault_e */

static ngx_http_ilert_fault_t  ngx_http_ilert_faults[] = {

    { "error", "no answer from ilert", 1 },
    { "error", "no answer from ilert", 1 },

    { "resolver", "no \"resolver\" is set to look up the name of ilert", 1 },
    { "dns", "no address of ilert was found", 1 },

    { "connect_timeout", "no connection to ilert in time", 0 },
    { "refused", "the connection to ilert was refused", 0 },
    { "unreachable", "ilert cannot be reached", 1 },
    { "no_server", "no server of the upstream is in use, since all have "
                   "failed", 0 },
    { "tls", "the TLS handshake with ilert failed", 1 },
    { "tls_verify", "ilert's certificate is not trusted", 1 },
    { "tls_name", "ilert's certificate does not have the name", 1 },
    { "http_port", "\"proxy_pass\" has https, but the port does not speak "
                   "TLS", 0 },
    { "https_port", "\"proxy_pass\" has http, but the port speaks TLS", 0 },

    { "timeout", "ilert did not answer in time", 0 },
    { "reset", "the connection to ilert was reset", 0 },
    { "closed", "the connection to ilert was closed before the answer", 0 },
    { "not_http", "what answered does not speak HTTP", 1 },

    { "url", "\"proxy_pass\" has no valid URL", 1 },
    { "nginx", "nginx answered itself", 1 },
    { "no_connection", "nginx had no connection for it, worker_connections "
                       "are not enough", 0 },
    { "exit", "nginx had to exit before ilert answered", 0 }
};


const char *
ngx_http_ilert_fault_code(ngx_uint_t fault)
{
    if (fault >= NGX_HTTP_ILERT_FAULT_N) {
        fault = NGX_HTTP_ILERT_FAULT_ERROR;
    }

    return ngx_http_ilert_faults[fault].code;
}


u_char *
ngx_http_ilert_fault_text(ngx_http_ilert_fault_e fault, ngx_str_t *detail,
    u_char *buf, u_char *last)
{
    return ngx_http_ilert_fault_text_of("ilert", fault, detail, buf, last);
}


u_char *
ngx_http_ilert_fault_text_of(const char *who, ngx_http_ilert_fault_e fault,
    ngx_str_t *detail, u_char *buf, u_char *last)
{
    u_char      *p;
    const char  *text, *name;

    text = ngx_http_ilert_faults[fault].text;
    name = ngx_strstr(text, "ilert");

    if (name) {
        p = ngx_slprintf(buf, last, "%*s%s%s", (size_t) (name - text), text,
                         who, name + sizeof("ilert") - 1);

    } else {
        p = ngx_slprintf(buf, last, "%s", text);
    }

    if (ngx_http_ilert_faults[fault].detail && detail->len) {
        p = ngx_slprintf(p, last, ": %V", detail);
    }

    return p;
}
