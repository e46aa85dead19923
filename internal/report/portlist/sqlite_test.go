package portlist

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

func exec1(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// dump is the content of both tables, a line a value, and the version.
func dump(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b strings.Builder
	for _, query := range []string{
		"PRAGMA user_version", "PRAGMA journal_mode", "SELECT * FROM scan",
		"SELECT hex(address_key) AS address_key, * FROM port ORDER BY port.address_key, port, transport",
	} {
		fmt.Fprintf(&b, "-- %s\n", query)
		dumpQuery(t, db, &b, query)
	}
	return b.String()
}

func dumpQuery(t *testing.T, db *sql.DB, b *strings.Builder, query string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range into {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if _, blob := v.([]byte); v != nil && !blob {
				fmt.Fprintf(b, "%s=%q ", names[i], fmt.Sprint(v))
			}
		}
		b.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
