// Package report turns an exposure.Assessment into something to read or to
// process: the terminal report, JSON, JSON Lines, CSV, HTML and SARIF, and
// shows progress while the assessment runs. It measures nothing, decides no
// verdict and changes no value it is given. Every text that came from a
// network is made harmless by Sanitize, or by an escape of the format that
// loses nothing, before it is written.
package report
