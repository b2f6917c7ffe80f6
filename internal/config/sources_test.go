package config

import (
	"slices"
	"testing"
)

func TestTheEnvironmentNamesTheFileAndTheRest(t *testing.T) {
	src := FromEnviron([]string{"HOME=/", "GATEHOUSE_CONFIG=/etc/x.yaml", "GATEHOUSE_LISTEN=:1"})
	if src.File != "/etc/x.yaml" || src.Prefix != "GATEHOUSE_" || !slices.Equal(src.Environ, []string{"HOME=/", "GATEHOUSE_LISTEN=:1"}) {
		t.Errorf("got %+v", src)
	}
}
