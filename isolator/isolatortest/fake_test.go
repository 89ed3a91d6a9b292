package isolatortest_test

import (
	"testing"

	"mezzo/isolator"
	"mezzo/isolator/isolatortest"
)

func TestFakeKeepsTheContract(t *testing.T) {
	kernel := isolatortest.NewFake("fake")
	isolatortest.Run(t, func(*testing.T) isolator.Isolator { return kernel })
}
