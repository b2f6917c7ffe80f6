package config_test

import (
	"strings"
	"testing"

	"gatehouse/internal/config"
)

func TestNoFaultRepeatsASecret(t *testing.T) {
	s := secret()
	file := func(content string) string { return write(t, content) }
	tests := []struct {
		name    string
		yaml    string
		environ []string
	}{
		{"given twice", "", []string{"GATEHOUSE_MASTER_KEY=" + s, "GATEHOUSE_MASTER_KEY_FILE=" + file(s)}},
		{"in the variable of the file", "", []string{"GATEHOUSE_MASTER_KEY_FILE=" + s}},
		{"a path too long", "", []string{"GATEHOUSE_MASTER_KEY_FILE=" + strings.Repeat(s, 200)}},
		{"a huge file", "", []string{"GATEHOUSE_MASTER_KEY_FILE=" + file(strings.Repeat(s, 1<<16))}},
		{"an empty file", "", []string{"GATEHOUSE_MASTER_KEY_FILE=" + file("\n")}},
		{"an alias", "master_key: *" + s, nil},
		{"an anchor", "master_key: &" + s, nil},
		{"a tag", "master_key: !" + s, nil},
		{"a list", "master_key: [" + s + "]", nil},
		{"a group", "master_key: {" + s + ": x}", nil},
		{"no blank after the colon", "{master_key:" + s + "}", nil},
		{"no blank in a group", "log: {master_key:" + s + ": 1}", nil},
		{"no colon", "master_key " + s + "\nlisten: x", nil},
		{"an open quote", "master_key: \"" + s, nil},
		{"a bad escape", "master_key: \"\\q" + s + "\"", nil},
		{"a tab", "log:\n\tmaster_key: " + s, nil},
		{"a directive", "%" + s + "\n---\n", nil},
		{"a text as list", "trusted_proxies: [" + s + ", 12]", nil},
		{"binary", "master_key: !!binary " + s, nil},
		{"in the wrong place", "grace: !!int " + s, []string{"GATEHOUSE_MASTER_KEY=" + s, "GATEHOUSE_LOG_JSON=" + s}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.yaml, tt.environ...)
			if err == nil {
				t.Fatal("Load found no fault")
			}
			if strings.Contains(err.Error(), s) {
				t.Errorf("the fault repeats the secret: %v", err)
			}
		})
	}
}

func TestAValidatorCannotRepeatASecretEither(t *testing.T) {
	a, b := secret(), secret()
	var s settings
	err := config.Load(&s, []string{"GATEHOUSE_SITE=talkative", "GATEHOUSE_MASTER_KEY=" + a, "GATEHOUSE_FORMER_KEY=" + a + b})
	wantFaults(t, err, "site: is bad: ******** and ********")
}
