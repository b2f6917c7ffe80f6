package apierr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

func TestAMessageIsFormattedAsSprintfDoes(t *testing.T) {
	for _, test := range []struct {
		err  *apierr.Error
		kind apierr.Kind
		code string
	}{
		{apierr.New(apierr.Conflict, "The %s %d%% exists.", "client", 7), apierr.Conflict, ""},
		{apierr.Invalidf("The %s %d%% exists.", "client", 7), apierr.Invalid, ""},
		{apierr.OAuth(apierr.Invalid, "invalid_grant", "The %s %d%% exists.", "client", 7), apierr.Invalid, "invalid_grant"},
	} {
		if test.err.Message != "The client 7% exists." || test.err.Kind != test.kind || test.err.Code != test.code {
			t.Errorf("got %+v", test.err)
		}
		if test.err.Unwrap() != nil || test.err.Challenge != "" || test.err.RetryAfter != 0 {
			t.Errorf("a fresh error has a cause, a challenge or a delay: %+v", test.err)
		}
		if test.err.Error() != test.err.Message {
			t.Errorf("without a cause the text is %q, not the message", test.err.Error())
		}
	}
}

func TestTheCauseIsInTheTextForLogsAndNeverInTheMessage(t *testing.T) {
	cause := errors.New("pq: relation tenants does not exist")
	for name, err := range map[string]*apierr.Error{
		"Wrap":    apierr.Wrap(cause, "read tenants"),
		"Away":    apierr.Away(cause, "The database"),
		"Because": apierr.New(apierr.Forbidden, "No.").Because(cause),
	} {
		if strings.Contains(err.Message, "relation") {
			t.Errorf("%s: the message shows the cause: %q", name, err.Message)
		}
		if !strings.Contains(err.Error(), "relation tenants") || !errors.Is(err, cause) {
			t.Errorf("%s: the cause is lost: %q", name, err.Error())
		}
	}
	if text := apierr.Wrap(cause, "read tenants").Error(); !strings.Contains(text, "read tenants: pq") {
		t.Errorf("what was being done is lost: %q", text)
	}
}

func TestADependencyThatIsAwayIsNamedAndMayBeTriedAgain(t *testing.T) {
	err := apierr.Away(io.ErrUnexpectedEOF, "The directory")
	if err.Kind != apierr.Unavailable || !strings.Contains(err.Message, "The directory") || err.RetryAfter != 2*time.Second {
		t.Errorf("got %+v", err)
	}
}

func TestAnErrorOfTheDatabaseHidesNoOther(t *testing.T) {
	cause := errors.New("connection refused")
	err := apierr.DatabaseAway(fmt.Errorf("read client: %w", cause))
	if !apierr.Is(err, apierr.Unavailable) || !errors.Is(err, cause) || strings.Contains(apierr.From(err).Message, "refused") {
		t.Errorf("got %v", err)
	}
	answer := fmt.Errorf("in a transaction: %w", apierr.New(apierr.NotFound, "There is none."))
	gone := fmt.Errorf("read client: %w", context.Canceled)
	for _, same := range []error{nil, answer, gone} {
		if got := apierr.DatabaseAway(same); !errors.Is(got, same) || apierr.Is(got, apierr.Unavailable) {
			t.Errorf("%v became %v", same, got)
		}
	}
}

func TestAnErrorIsRecognisedThroughWrapping(t *testing.T) {
	inner := apierr.New(apierr.NotFound, "There is no such client.")
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		err      error
		notFound bool
	}{
		"itself":           {inner, true},
		"wrapped":          {fmt.Errorf("get client: %w", inner), true},
		"joined":           {errors.Join(cause, inner), true},
		"of another kind":  {apierr.New(apierr.Conflict, "No."), false},
		"no public error":  {cause, false},
		"hidden as cause":  {apierr.Wrap(inner, "ask"), false},
		"nothing happened": {nil, false},
	} {
		if got := apierr.Is(test.err, apierr.NotFound); got != test.notFound {
			t.Errorf("%s: Is says %t, want %t", name, got, test.notFound)
		}
		if test.notFound && apierr.From(test.err) != inner {
			t.Errorf("%s: From returns %v", name, apierr.From(test.err))
		}
	}
}

// uncomparable panics when it is compared or used as a map key.
type uncomparable []string

func (u uncomparable) Error() string { return strings.Join(u, ",") }

func TestAnyOtherErrorIsAnInternalOne(t *testing.T) {
	for _, cause := range []error{errors.New("plain"), uncomparable{"a", "b"}, fmt.Errorf("wrapped: %w", io.EOF)} {
		err := apierr.From(cause)
		if err.Kind != apierr.Internal || strings.Contains(err.Message, cause.Error()) ||
			!strings.Contains(err.Error(), cause.Error()) {
			t.Errorf("From(%v) is %+v", cause, err)
		}
		if apierr.Is(cause, apierr.Internal) {
			t.Errorf("%v is taken for an error of this package", cause)
		}
	}
}
