package firewall

// SetLimit stands for Limit in tests.
func (e *Evaluator) SetLimit(n int) { e.limit = n }
