package intel

// Data gives the rows of the table to those who put newer ones over them. They
// must not be changed.
func (t *Table) Data() *Data { return &t.data }

// Catalogue gives CISA's catalogue to those who put a newer one over it. It must
// not be changed.
func (t *Table) Catalogue() *Catalogue { return &t.catalogue }
