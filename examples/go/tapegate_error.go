package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Values of TapegateError.Retry and TapegateError.Outcome.
const (
	SameCall    = "same_call"
	AfterChange = "after_change"
	NotApplied  = "not_applied"
)

// TapegateError is a call that failed, with the details of its status.
type TapegateError struct {
	Code    codes.Code
	Message string
	// Reason is empty if the error came from the gRPC library or from a proxy.
	Reason string
	// Retry is same_call, after_change or never. If the error did not come from the service, its code
	// decides.
	Retry string
	// Outcome of a create: not_applied or unknown. Empty for other calls and for errors that did
	// not come from the service.
	Outcome string
	// EarlierOutcome is unknown if an earlier attempt of the service may have created the tapes,
	// otherwise empty.
	EarlierOutcome string
	// RetryDelay is the wait before the call is made again; nil if the service gave none.
	RetryDelay *time.Duration
	Violations []Violation
	RequestID  string
}

// Violation says what is wrong with a field of the request.
type Violation struct {
	Field, Description string
}

// newTapegateError reads the status of a call. requestID is the x-request-id of the call, for an
// error that did not come from the service.
func newTapegateError(from *status.Status, requestID string) *TapegateError {
	failure := &TapegateError{Code: from.Code(), Message: from.Message(), Retry: retryWithoutInfo(from.Code()), RequestID: requestID}
	for _, detail := range from.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			failure.Reason = detail.GetReason()
			failure.Retry = detail.GetMetadata()["retry"]
			failure.Outcome = detail.GetMetadata()["outcome"]
			failure.EarlierOutcome = detail.GetMetadata()["earlier_outcome"]
		case *errdetails.RetryInfo:
			delay := detail.GetRetryDelay().AsDuration()
			failure.RetryDelay = &delay
		case *errdetails.BadRequest:
			for _, one := range detail.GetFieldViolations() {
				failure.Violations = append(failure.Violations, Violation{one.GetField(), one.GetDescription()})
			}
		case *errdetails.RequestInfo:
			failure.RequestID = detail.GetRequestId()
		}
	}
	return failure
}

// retryWithoutInfo is the Retry of an error of the gRPC library, a proxy or another server. With some
// codes, the same call fails again.
func retryWithoutInfo(code codes.Code) string {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.OutOfRange,
		codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return AfterChange
	default:
		return SameCall
	}
}

func (e *TapegateError) Error() string {
	var text strings.Builder
	reason := e.Reason
	if reason == "" {
		reason = "(not from tapegate)"
	}
	fmt.Fprintf(&text, "%s %s: %s (x-request-id %s)", e.Code, reason, e.Message, e.RequestID)
	for _, one := range e.Violations {
		fmt.Fprintf(&text, "\n  %s: %s", one.Field, one.Description)
	}
	return text.String()
}
