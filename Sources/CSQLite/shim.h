#pragma once
#include <sqlite3.h>

// SQLITE_TRANSIENT is a cast, which Swift can't import: SQLite copies the text.
static inline int imgate_sqlite_bind_text(sqlite3_stmt *statement, int place, const char *text,
                                          int size) {
  return sqlite3_bind_text(statement, place, text, size, SQLITE_TRANSIENT);
}
