
/* what is SQLite's own: its files, and the plans of its statements */


#include "store_test.h"


static void
test_new(void)
{
    char         path[600];
    test_t       t;
    struct stat  st;

    setup(&t, "new");

    check_int(run(&t), OK);
    check_str(t.store.notice, "");

    sqlite3_snprintf(sizeof(path), path, "%s/queue.db", t.path);
    check(stat(path, &st) == 0);
    check_int(st.st_mode & 07777, 0600);

    sqlite3_snprintf(sizeof(path), path, "%s/queue.db-wal", t.path);
    check(stat(path, &st) == 0);
    check_int(st.st_mode & 07777, 0600);

    sqlite3_snprintf(sizeof(path), path, "%s/ballast", t.path);
    check(stat(path, &st) == 0);
    check_int(st.st_mode & 07777, 0600);
    check_int(st.st_size, 4 * 1024 * 1024);
    check(st.st_blocks * 512 >= 4 * 1024 * 1024);

    check_str(sql(&t, "PRAGMA application_id"), "1768714868");
    check_str(sql(&t, "PRAGMA user_version"), "10");
    check_str(sql(&t, "PRAGMA journal_mode"), "wal");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    /* the log is gone once it is closed */

    ngx_http_ilert_store_close(&t.store);
    check_int(count_files(&t, "queue.db"), 1);

    teardown(&t);
}


/* no statement looks at more rows than it has to */

static sqlite3  *test_db;

static int
look_at(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    test_db = db;
    return SQLITE_OK;
}


/*
 * Of totals there is one.  Of the others only the first ones are wanted, or
 * those under way, or as many as a part of the statement says: the counts of
 * waiting events are only put right where these are few.  Of sources there
 * are as many as somebody has written down, of topics as many as there are
 * tasks, of silences as many as somebody has asked for, and of digests not
 * more than of sources.
 */

static ngx_uint_t
is_bounded(const char *text, const char *detail)
{
    ngx_uint_t  i;

    static struct {
        const char  *scan;
        const char  *part;
    } scans[] = {
        { "SCAN total", "" },
        { "SCAN sqlite_sequence", "" },
        { "SCAN CONSTANT ROW", "" },
        { "SCAN slot", "" },
        { "SCAN refused", " ORDER BY id " },
        { "SCAN topic", " FROM topic ORDER BY id" },
        { "SCAN silence", " FROM silence ORDER BY id" },
        { "SCAN digest", " FROM digest JOIN source" },
        { "SCAN dead USING INDEX dead_died", "" },
        { "SCAN alert USING INDEX alert_next", "" },
        { "SCAN alert USING INDEX alert_taken", "" },
        { "SCAN slot USING INDEX slot_taken", "" },

        { "SCAN source USING INDEX sqlite_autoindex_source_1",
          " open, dead FROM source ORDER BY name" },
        { "SCAN d USING INDEX dead_died",
          " ORDER BY d.died DESC, d.seq DESC LIMIT ?1" },
        { "SCAN (subquery-1)", " ORDER BY seq DESC LIMIT ?2)" },
        { "SCAN (subquery-1)", " d.seq DESC LIMIT ?4)" },

        { "SCAN event", "= event.alert LIMIT ?1" },

        /* of an earlier release's, and mostly empty */

        { "SCAN alert USING INDEX alert_stray", "" },
        { "SCAN alert USING COVERING INDEX alert_stray", "" },
    };

    for (i = 0; i < sizeof(scans) / sizeof(scans[0]); i++) {
        if (strcmp(detail, scans[i].scan) == 0 && strstr(text, scans[i].part))
        {
            return 1;
        }
    }

    return 0;
}


static void
explain(const char *text)
{
    char          *plan;
    const char    *detail;
    sqlite3_stmt  *stmt;

    plan = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);

    if (sqlite3_prepare_v2(test_db, plan, -1, &stmt, NULL) != SQLITE_OK) {
        fail_at(__FILE__, __LINE__, text, sqlite3_errmsg(test_db));
        return;
    }

    while (sqlite3_step(stmt) == SQLITE_ROW) {
        detail = (char *) sqlite3_column_text(stmt, 3);

        if ((strncmp(detail, "SCAN ", 5) == 0 && !is_bounded(text, detail))
            || strstr(detail, "TEMP B-TREE") || strstr(detail, "AUTOMATIC"))
        {
            fail_at(__FILE__, __LINE__, text, detail);
        }
    }

    sqlite3_finalize(stmt);
    sqlite3_free(plan);
}


void
each_statement(test_t *t, void (*look)(test_t *t, const char *text))
{
    sqlite3_stmt  *stmt;

    sqlite3_auto_extension((void (*)(void)) look_at);

    check_int(run(t), OK);

    sqlite3_cancel_auto_extension((void (*)(void)) look_at);

    for (stmt = sqlite3_next_stmt(test_db, NULL); stmt;
         stmt = sqlite3_next_stmt(test_db, stmt))
    {
        look(t, sqlite3_sql(stmt));
    }
}


/* the table and the indexes that a statement writes */

const char *
indexes_of(test_t *t, const char *text)
{
    int             rc;
    char           *name;
    sqlite3        *db;
    sqlite3_stmt   *stmt;

    static char     found[256];

    found[0] = '\0';

    name = sqlite3_mprintf("%s/queue.db", t->path);
    check(sqlite3_open(name, &db) == SQLITE_OK);
    sqlite3_free(name);

    name = sqlite3_mprintf("EXPLAIN %s", text);
    check(sqlite3_prepare_v2(db, name, -1, &stmt, NULL) == SQLITE_OK);
    sqlite3_free(name);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (strcmp((char *) sqlite3_column_text(stmt, 1), "OpenWrite") == 0) {
            strcat(found, sql(t, "SELECT name || ' ' FROM sqlite_master"
                                 " WHERE rootpage = %d",
                              sqlite3_column_int(stmt, 3)));
        }
    }

    check_int(rc, SQLITE_DONE);

    sqlite3_finalize(stmt);
    sqlite3_close(db);

    return found;
}


static ngx_uint_t  explained;

static void
check_plan(test_t *t, const char *text)
{
    if (strncmp(text, "SELECT", 6) == 0 || strncmp(text, "UPDATE", 6) == 0
        || strncmp(text, "DELETE", 6) == 0
        || strncmp(text, "INSERT", 6) == 0)
    {
        explain(text);
        explained++;
    }

    /*
     * of slots there are as many as the rate allows, alerts that are open are
     * counted if they seem to be few, and those that are bad only for digests,
     * by an index alone
     */

    check(strcasestr(text, "count(") == NULL || strstr(text, "slot_taken")
          || strstr(text, "alert_opened") || strstr(text, "alert_bad"));
    check(strcasestr(text, "sum(") == NULL);
}


static void
test_plans(void)
{
    test_t  t;

    setup(&t, "plans");

    each_statement(&t, check_plan);
    check(explained > 20);

    teardown(&t);
}


test_case_t  sqlite_cases[] = {
    { "new database", test_new },
    { "query plans", test_plans },
    { NULL, NULL }
};
