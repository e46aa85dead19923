// Package azure reads and writes the network security groups (NSG) of Azure. It
// reads what "az network nsg show" and "az network nsg list" print as JSON, and
// asks no cloud for anything.
//
// A group judges what comes in by its rules in the order of their priority; the
// first that matches decides, and the documented default rules follow. A group
// at the subnet and one at the network interface must both accept.
//
// Service tags. AzureLoadBalancer is the address 168.63.129.16, from which the
// platform probes. VirtualNetwork and Internet divide the address space along
// the virtual network, its peers and user-defined routes, none of which is in
// these files. The reader takes them as what virtual networks are made of:
// public sources are Internet and not VirtualNetwork; of all others (RFC 1918,
// RFC 4193, RFC 6598, link-local …) it cannot be decided. That is wrong for a
// virtual network of public addresses and for one with a user-defined route for
// 0.0.0.0/0, which widens VirtualNetwork to everything: for those set WideTags,
// and neither tag decides anything. Every other tag, and every application
// security group, stands for addresses that are not in the file and cannot be
// decided.
//
// Azure judges the private address of the asset, after translation. Where a
// rule names destinations and the question is about a public address, it cannot
// be decided whether the rule is meant.
//
// Limits of the reader: only inbound rules are read; Azure Firewall, network
// manager's admin rules (which come before groups), routes and load balancers
// are not looked at.
package azure
