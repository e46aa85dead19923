// Package portpage shows what is known of a port: as JSON, as Markdown, and on
// a terminal. It knows nothing itself; the atlas does.
package portpage
