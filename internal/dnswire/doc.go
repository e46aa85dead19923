// Package dnswire builds DNS queries and reads DNS messages. It is the only
// importer of github.com/miekg/dns, whose record types it re-exports under
// their own names, and it adds what a measuring tool needs beyond that
// library: queries that break the rules on purpose, headers of replies whose
// body does not parse, and text forms for evidence. It opens no socket.
package dnswire
