package portlist

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"reconshield/internal/exposure"
)

// databaseVersion is the user_version of the files, raised with the schema.
const databaseVersion = 2

// schemaSQL is described in docs/scan-output.md.
const schemaSQL = `
CREATE TABLE scan (
  id            INTEGER PRIMARY KEY,
  started       TEXT NOT NULL,
  finished      INTEGER NOT NULL DEFAULT 0,
  mode          TEXT NOT NULL DEFAULT '',
  scope         TEXT NOT NULL DEFAULT '',
  version       TEXT NOT NULL DEFAULT '',
  targets       INTEGER,
  probes_sent   INTEGER,
  replies       INTEGER,
  retransmitted INTEGER,
  ring_drops    INTEGER,
  duration_s    REAL,
  completeness  REAL,
  partial       INTEGER,
  summary       TEXT CHECK (summary IS NULL OR json_valid(summary))
);
CREATE TABLE port (
  address_key BLOB NOT NULL,
  port        INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),
  transport   TEXT NOT NULL,
  scan        INTEGER NOT NULL REFERENCES scan(id),
  address     TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  rtt_ms      REAL,
  time        TEXT NOT NULL,
  attempts    INTEGER,
  labels      TEXT,
  detail      TEXT,
  vantage     TEXT,
  protocol    TEXT,
  software    TEXT,
  version     TEXT,
  cpe         TEXT,
  banner      TEXT,
  service     TEXT CHECK (service IS NULL OR json_valid(service)),
  registered  TEXT,
  PRIMARY KEY (address_key, port, transport)
) WITHOUT ROWID;
`

// upgradeSQL makes a file of version 1 one of version 2.
const upgradeSQL = `BEGIN; ALTER TABLE port ADD COLUMN registered TEXT; PRAGMA user_version=2; COMMIT`

// indexSQL runs at the end: an index that is kept while rows come in any order
// costs more than they do.
const indexSQL = `CREATE INDEX IF NOT EXISTS port_by_number ON port (port, transport, state)`

const insertSQL = `INSERT OR REPLACE INTO port (
  address_key, port, transport, scan, address, state, reason, rtt_ms, time, attempts,
  labels, detail, vantage, protocol, software, version, cpe, banner, service, registered
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// insertMany rows go into one statement, which costs a third of so many.
const insertMany = 64

// database is an SQLite file. Each batch is a transaction, so a file whose
// writer was killed opens with all batches but perhaps the last. While the run
// goes on, others may read it.
type database struct {
	db     *sql.DB
	conn   *sql.Conn
	insert *sql.Stmt // one row
	many   *sql.Stmt // insertMany rows
	scan   int64
	args   []any
	opts   Options
}

// openSQLite runs without a caller's context: a database that is closed half
// way through a cancelled run would lose what was found.
func openSQLite(path string, opts Options) (*database, error) {
	path = resolved(path)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("a database needs a regular file")
	}
	if !opts.Continue {
		for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
		}
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// As a URI, or a question mark in the name would begin the options.
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(full)}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	d := &database{db: db, opts: opts}
	if err := d.begin(context.Background()); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) begin(ctx context.Context) error {
	var err error
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return err
	}
	for _, pragma := range []string{
		"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-16384",
	} {
		if _, err := d.conn.ExecContext(ctx, pragma); err != nil {
			return err
		}
	}
	var version int
	if err := d.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case databaseVersion:
	case 1:
		if _, err := d.conn.ExecContext(ctx, upgradeSQL); err != nil {
			return err
		}
	case 0:
		create := fmt.Sprintf("BEGIN; %s PRAGMA user_version=%d; COMMIT", schemaSQL, databaseVersion)
		if _, err := d.conn.ExecContext(ctx, create); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the file has version %d of the schema, this program writes %d: take another file",
			version, databaseVersion)
	}
	started := string(appendTime(nil, d.opts.Started))
	res, err := d.conn.ExecContext(ctx, "INSERT INTO scan (started, mode, scope, version) VALUES (?, ?, ?, ?)",
		started, d.opts.Mode, strings.Join(d.opts.Scope, " "), d.opts.Version)
	if err != nil {
		return err
	}
	if d.scan, err = res.LastInsertId(); err != nil {
		return err
	}
	if d.insert, err = d.conn.PrepareContext(ctx, insertSQL); err != nil {
		return err
	}
	_, row, _ := strings.Cut(insertSQL, "VALUES")
	d.many, err = d.conn.PrepareContext(ctx, insertSQL+strings.Repeat(","+row, insertMany-1))
	return err
}

func (d *database) rows(batch []exposure.Observation) error {
	ctx := context.Background()
	if _, err := d.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := d.insertAll(ctx, batch); err != nil {
		_, rollback := d.conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	_, err := d.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (d *database) insertAll(ctx context.Context, batch []exposure.Observation) error {
	for len(batch) > 0 {
		n, statement := 1, d.insert
		if len(batch) >= insertMany {
			n, statement = insertMany, d.many
		}
		d.args = d.args[:0]
		for _, o := range batch[:n] {
			d.bind(o)
		}
		if _, err := statement.ExecContext(ctx, d.args...); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// bind adds a row to the arguments; what is not known is NULL.
func (d *database) bind(o exposure.Observation) {
	key := o.Addr.As16()
	var rtt, attempts, labels, service any
	if o.RTT > 0 {
		rtt = float64(max(o.RTT.Microseconds(), 1)) / 1000
	}
	if o.Attempts > 0 {
		attempts = o.Attempts
	}
	if len(o.Labels) > 0 {
		labels = joined(o.Labels, " ")
	}
	d.args = append(d.args, key[:], int64(o.Port), string(o.Transport), d.scan, o.Addr.String(),
		string(o.State), string(o.Reason), rtt, string(appendTime(nil, o.At)), attempts,
		labels, nullable(o.Detail), nullable(o.Vantage))
	known := nullable(registered(d.opts.Registered, o))
	if o.Service == nil {
		d.args = append(d.args, nil, nil, nil, nil, nil, nil, known)
		return
	}
	s := *o.Service
	service = string(appendValue(nil, s))
	d.args = append(d.args, nullable(s.Protocol), nullable(softwareName(s)), nullable(s.Version),
		nullable(s.CPE), nullable(s.Banner), service, known)
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (d *database) end(s Summary) error {
	var completeness any
	if s.Completeness != nil {
		completeness = *s.Completeness
	}
	ctx := context.Background()
	if _, err := d.conn.ExecContext(ctx, indexSQL); err != nil {
		return err
	}
	_, err := d.conn.ExecContext(ctx, `UPDATE scan SET finished=1, mode=?, targets=?, probes_sent=?,
  replies=?, retransmitted=?, ring_drops=?, duration_s=?, completeness=?, partial=?, summary=? WHERE id=?`,
		s.Mode, clamp(s.Targets), clamp(s.ProbesSent), clamp(s.Replies), clamp(s.Retransmitted), clamp(s.RingDrops),
		s.DurationS, completeness, s.Partial, string(appendSummary(nil, s)), d.scan)
	return err
}

// clamp keeps a count within SQLite's integers.
func clamp(n uint64) int64 { return int64(min(n, 1<<63-1)) }

// close leaves one file: without the journal beside it, it can be copied.
func (d *database) close() error {
	var errs []error
	for _, statement := range []*sql.Stmt{d.insert, d.many} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	if d.conn != nil {
		// Fails while somebody reads the file, who then keeps the journal.
		_, _ = d.conn.ExecContext(context.Background(), "PRAGMA journal_mode=DELETE")
		errs = append(errs, d.conn.Close())
	}
	return errors.Join(append(errs, d.db.Close())...)
}
