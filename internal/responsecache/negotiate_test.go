package responsecache

import "testing"

func TestGzipIsSentOnlyWhereItIsWelcome(t *testing.T) {
	tests := []struct {
		values []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"gzip"}, true},
		{[]string{"GZip"}, true},
		{[]string{"x-gzip"}, true},
		{[]string{"deflate, gzip;q=0.5, br"}, true},
		{[]string{"deflate", "gzip"}, true},
		{[]string{"gzip;q=0"}, false},
		{[]string{"gzip ; Q = 0.000"}, false},
		{[]string{"gzip;q=0, *"}, false},
		{[]string{"*, gzip;q=0"}, false},
		{[]string{"*"}, true},
		{[]string{"*;q=0"}, false},
		{[]string{"identity"}, false},
		{[]string{"br, deflate"}, false},
		{[]string{"gzipped"}, false},
		{[]string{"gzip;q=NaN"}, false},
	}
	for _, tt := range tests {
		if got := acceptsGzip(tt.values); got != tt.want {
			t.Errorf("Accept-Encoding %q: got %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestIfNoneMatchIsReadAsTheRFCSays(t *testing.T) {
	tests := []struct {
		values []string
		want   bool
	}{
		{[]string{`"me"`}, true},
		{[]string{`W/"me"`}, true},
		{[]string{`"other"`}, false},
		{[]string{`"other", "me"`}, true},
		{[]string{`"a,b", W/"c" ,W/"me"`}, true},
		{[]string{`,, "me"`}, true},
		{[]string{`"other"`, `"me"`}, true},
		{[]string{"*"}, true},
		{[]string{" * "}, true},
		{[]string{`me`}, false},
		{[]string{`"me`}, false},
		{[]string{`x "me"`}, false},
		{[]string{`"x*"`}, false},
		{[]string{`"ME"`}, false},
		{[]string{`W/`}, false},
		{[]string{``}, false},
	}
	for _, tt := range tests {
		if got := matches(tt.values, func(tag string) bool { return tag == `"me"` }); got != tt.want {
			t.Errorf("If-None-Match %q: got %v, want %v", tt.values, got, tt.want)
		}
	}
}

func FuzzIfNoneMatch(f *testing.F) {
	f.Add(`W/"a", "b"`)
	f.Add(`"unfinished`)
	f.Fuzz(func(t *testing.T, value string) {
		matches([]string{value}, func(tag string) bool {
			if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
				t.Errorf("%q yields the tag %q", value, tag)
			}
			return false
		})
	})
}
