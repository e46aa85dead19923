// Package scan is the engine that measures ports: it decides in which order
// and how fast targets are asked, repeats what was not answered, matches
// replies to questions and turns what came back into verdicts. Its controls
// tell whether a verdict may be believed: whether the host accepts everything,
// whether something on the path answers in its stead.
//
// It opens no sockets: a Wire carries the probes of a sweep, a Prober those of
// the controls. It does not identify services and checks
// no configuration. A target outside the given scope is never asked.
package scan
