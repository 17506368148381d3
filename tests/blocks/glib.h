/* SPDX-License-Identifier: MIT
 *
 * glib.h - as much of GLib as the block of docs/embedding.md calls, so that it compiles where GLib is not installed.
 */
#ifndef RP_TEST_GLIB_H
#define RP_TEST_GLIB_H

typedef int gboolean, gint;
typedef void *gpointer;
typedef struct GSource {
    void *opaque[12];
} GSource;
typedef struct GMainLoop GMainLoop;
typedef gboolean (*GSourceFunc)(gpointer);
typedef struct GSourceFuncs {
    gboolean (*prepare)(GSource *, gint *);
    gboolean (*check)(GSource *);
    gboolean (*dispatch)(GSource *, GSourceFunc, gpointer);
    void (*finalize)(GSource *);
    GSourceFunc closure_callback;
    void *closure_marshal;
} GSourceFuncs;
enum { G_IO_IN = 1 };
#define G_SOURCE_CONTINUE 1
#define G_SOURCE_REMOVE 0
int g_source_query_unix_fd(GSource *, gpointer);
gpointer g_source_add_unix_fd(GSource *, int, int);
GSource *g_source_new(GSourceFuncs *, unsigned);
void g_source_set_callback(GSource *, GSourceFunc, gpointer, void *);
unsigned g_source_attach(GSource *, void *);
void g_main_loop_quit(GMainLoop *);

#endif
