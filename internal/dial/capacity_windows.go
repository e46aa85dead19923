package dial

// Capacity is how many exchanges and connections this process can have open at
// once. Windows sets no limit that is worth asking for.
func (d *Dialer) Capacity() int { return usable(maxDescriptors, 0) }
