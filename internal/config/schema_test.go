package config_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/config"
)

func TestMistakesInTagsPanic(t *testing.T) {
	type self struct {
		Inner map[string]struct {
			Key string `key:"key" env:"X_KEY"`
		} `key:"inner"`
	}
	tests := []struct {
		name string
		dst  any
		want string
	}{
		{"no struct", new(string), "settings are a struct"},
		{"nothing", nil, "settings are a struct"},
		{"no key", new(struct{ A string }), "has no usable key"},
		{"a bad key", new(struct {
			A string `key:"a.b"`
		}), "has no usable key"},
		{"a secret with a default", new(struct {
			A string `key:"a" secret:"true" default:""`
		}), "is a secret and has no default"},
		{"a secret number", new(struct {
			A int `key:"a" secret:"true"`
		}), "must be text or a list"},
		{"a wrong default", new(struct {
			A time.Duration `key:"a" default:"15"`
		}), "has a default that must be a duration"},
		{"required with a default", new(struct {
			A string `key:"a" required:"true" default:"x"`
		}), "is required and needs no default"},
		{"a strange flag", new(struct {
			A string `key:"a" required:"yes"`
		}), "neither true nor false"},
		{"an unknown type", new(struct {
			A *string `key:"a"`
		}), "has the type *string"},
		{"a map of text", new(struct {
			A map[string]string `key:"a"`
		}), "has the type map[string]string"},
		{"a variable in a map", new(self), "can only be set in the file"},
		{"a variable of a group", new(struct {
			A struct{} `key:"a" env:"X_A"`
		}), "is nested"},
		{"a required group", new(struct {
			A struct{} `key:"a" required:"true"`
		}), "cannot be required"},
		{"a key twice", new(struct {
			A string `key:"a"`
			B string `key:"a"`
		}), "repeats the key"},
		{"a variable twice", new(struct {
			A string `key:"a" env:"X_A" secret:"true"`
			B string `key:"b" env:"X_A_FILE"`
		}), "repeats the variable X_A_FILE"},
		{"a bad variable", new(struct {
			A string `key:"a" env:"x-a"`
		}), "has no usable variable"},
		{"an embedded pointer", new(struct{ *Base }), "embeds"},
		{"a struct in itself", new(loop), "contains itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, tt.want) {
					t.Errorf("panic %q, want %q", got, tt.want)
				}
			}()
			config.Describe(tt.dst)
		})
	}
}

type loop struct {
	Inner map[string]loop `key:"inner"`
}
