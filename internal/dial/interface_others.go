//go:build !linux && !windows && !darwin

package dial

import "errors"

// bindInterface is not possible here without privileges.
func bindInterface(int, bool, string) error {
	return errors.New("not possible on this system; give a source address instead")
}
