// Package lab builds a small Internet out of Linux network namespaces and
// runs real name servers in it, in safe and in deliberately abused
// configurations, so that tests can measure software instead of imitations.
//
// [Main] moves the whole test binary into namespaces of its own; from then on
// the process is the host "scanner" of the topology and code under test just
// opens sockets. [New] builds router, segments and hosts; [Lab.Start] brings
// up a server of the catalogue ([Kinds]) and returns when it answers.
//
// Nothing outside the namespaces is reachable from them and nothing survives
// the test process. The package works for root and for ordinary users where
// the kernel allows unprivileged user namespaces, on Linux only.
//
// It is for tests: it does not scan, it judges nothing, and no product code
// may import it.
package lab
