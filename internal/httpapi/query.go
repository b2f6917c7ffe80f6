package httpapi

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// QueryBool reads a boolean query parameter: true or false in any letter
// case; absent means false.
func QueryBool(c *gin.Context, name string) (bool, error) {
	value, err := QueryText(c, name)
	if err != nil || value == "" {
		return false, err
	}
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, apierr.Invalidf("The query parameter %s must be true or false.", name)
}

// Window is which rows of a list are asked for. Limit -1 means all.
type Window struct {
	Limit, Offset int
}

// QueryWindow reads limit (absent or -1: all rows) and offset (default 0).
func QueryWindow(c *gin.Context) (Window, error) {
	limit, err := queryInt(c, "limit", -1)
	if err != nil {
		return Window{}, err
	}
	if limit < -1 {
		return Window{}, apierr.Invalidf("The query parameter limit must be -1 for all rows, or 0 or more.")
	}
	offset, err := queryInt(c, "offset", 0)
	if err != nil {
		return Window{}, err
	}
	if offset < 0 {
		return Window{}, apierr.Invalidf("The query parameter offset must be 0 or more.")
	}
	return Window{Limit: limit, Offset: offset}, nil
}

// Page describes a window over total rows of which count are in the answer.
func (w Window) Page(count, total int) Page {
	return Page{RecordCount: count, RecordLimit: w.Limit, RecordsSkipped: w.Offset, TotalCount: total}
}

func queryInt(c *gin.Context, name string, absent int) (int, error) {
	value, err := QueryText(c, name)
	if err != nil || value == "" {
		return absent, err
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0, apierr.Invalidf("The query parameter %s must be an integer.", name)
	}
	return int(n), nil
}

// QueryText reads a text from the query; absent means empty.
func QueryText(c *gin.Context, name string) (string, error) {
	query, err := queryValues(c)
	if err != nil {
		return "", err
	}
	values := query[name]
	if len(values) > 1 {
		return "", apierr.Invalidf("The query parameter %s is given more than once.", name)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}

// queryValues reads the query of the URL. Where net/url leaves out what it
// cannot read, so that a mangled limit would mean no limit, this is an error.
func queryValues(c *gin.Context) (url.Values, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, apierr.Invalidf("The query of the URL is not well-formed.")
	}
	return values, nil
}
