// Package atlas is what is known of every port: how IANA registered it, what
// really listens there, what its exposure means, how to defend it, who abuses
// it. The data are embedded, made by gen from the files under sources and
// notes, and read when they are first asked for. It does no I/O and does not
// render: surfaces do.
package atlas
