// Package cloud holds what the readers of AWS, Azure, Google Cloud and
// Terraform share: JSON that knows its lines and gives account of what nobody
// asked for, the matches of their rules, and the choice of the groups that
// stand before the asset. It reads no dialect itself and decides nothing.
package cloud
