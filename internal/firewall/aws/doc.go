// Package aws reads and writes the packet filters of Amazon VPCs: security
// groups and network ACLs. It reads what "aws ec2 describe-security-groups" and
// "aws ec2 describe-network-acls" print as JSON and asks no cloud for anything.
//
// The groups of an instance are allow lists that add up: a packet passes when
// any of them has a rule for it. A network ACL is an ordered list before the
// subnet. Given both, each must accept.
//
// Limits of the reader. Only what comes in is read, as the question is who can
// start a conversation; egress rules are passed over. A network ACL keeps no
// state: that its egress entries let the answers out is not checked. It judges
// what enters the subnet; packets between hosts of one subnet never meet it.
// Who is in a referenced group or prefix list is not in these files, so rules
// with such sources cannot be decided. AWS Network Firewall, route tables and
// load balancers are not looked at.
package aws
