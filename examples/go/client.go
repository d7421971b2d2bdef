package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "tapegate.example/agent/tapegate/v1"
)

const (
	createDeadline   = 30 * time.Second
	describeDeadline = 30 * time.Second
	listDeadline     = 60 * time.Second
	shortestBackoff  = 500 * time.Millisecond
	longestBackoff   = 10 * time.Second
)

// errGaveUp says that the time is over, and that the call can succeed later.
var errGaveUp = errors.New("gave up")

// patience is the time that a piece of work has for all of its attempts.
type patience struct {
	total    time.Duration
	ends     time.Time
	failures int
}

func newPatience(total time.Duration) *patience {
	return &patience{total: total, ends: time.Now().Add(total)}
}

// renew starts the time again, after progress.
func (p *patience) renew() {
	p.ends = time.Now().Add(p.total)
	p.failures = 0
}

// limit is the timeout of a call: its deadline, or the remaining time if that is shorter.
func (p *patience) limit(deadline time.Duration) time.Duration {
	return min(deadline, time.Until(p.ends))
}

func (p *patience) sleep(wait time.Duration, why string) error {
	if time.Until(p.ends) <= wait {
		return fmt.Errorf("%w after %v; the last answer was %s", errGaveUp, p.total, why)
	}
	time.Sleep(wait)
	return nil
}

// waitAfter waits until the same call can be made again. It returns the failure if that cannot help.
func (p *patience) waitAfter(failure *TapegateError) error {
	if failure.Retry != SameCall {
		return failure
	}
	if failure.RetryDelay != nil {
		return p.sleep(*failure.RetryDelay, failure.Error())
	}
	longest := longestBackoff
	if p.failures++; p.failures < 5 {
		longest = min(longest, shortestBackoff<<p.failures)
	}
	return p.sleep(shortestBackoff+mathrand.N(longest-shortestBackoff), failure.Error())
}

// client makes the calls of one command. They share a trace.
type client struct {
	conn      *grpc.ClientConn
	stub      pb.TapeServiceClient
	tokenFile string
	trace     string
}

// newClient reads the environment.
func newClient() (*client, error) {
	address := os.Getenv("TAPEGATE_ADDRESS")
	if address == "" {
		return nil, errors.New("TAPEGATE_ADDRESS is not set; it is the host:port of the service")
	}
	transport := insecure.NewCredentials()
	if ca := os.Getenv("TAPEGATE_CA"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                10 * time.Second,
			Timeout:             5 * time.Second,
			PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  200 * time.Millisecond,
				Multiplier: 1.6,
				Jitter:     0.2,
				MaxDelay:   5 * time.Second,
			},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if path := os.Getenv("TAPEGATE_SERVICE_CONFIG"); path != "" {
		config, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.WithDefaultServiceConfig(string(config)))
	}
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, err
	}
	return &client{conn, pb.NewTapeServiceClient(conn), os.Getenv("TAPEGATE_TOKEN_FILE"), randomHex(16)}, nil
}

func (c *client) close() {
	c.conn.Close()
}

// createTapes returns the ARNs of the new tapes. failed sees the error of each attempt.
func (c *client) createTapes(p *patience, request *pb.CreateTapesRequest, failed func(*TapegateError)) ([]string, error) {
	var tapeARNs []string
	err := c.repeat(p, createDeadline, failed, func(ctx context.Context) error {
		response, err := c.stub.CreateTapes(ctx, request)
		tapeARNs = response.GetTapeArns()
		return err
	})
	return tapeARNs, err
}

// describeTapes returns all of these tapes that the library of the gateway has. They are few: each
// attempt starts anew.
func (c *client) describeTapes(p *patience, gatewayARN string, tapeARNs []string) ([]*pb.Tape, error) {
	var tapes []*pb.Tape
	request := &pb.DescribeTapesRequest{GatewayArn: gatewayARN, TapeArns: tapeARNs}
	err := c.repeat(p, describeDeadline, ignore, func(ctx context.Context) error {
		tapes = nil
		pages, err := c.stub.DescribeTapes(ctx, request)
		for err == nil {
			var page *pb.DescribeTapesResponse
			page, err = pages.Recv()
			tapes = append(tapes, page.GetTapes()...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	return tapes, err
}

// listTapes passes on the pages of all tapes as they come. After an error the list resumes at the
// last marker.
func (c *client) listTapes(p *patience, show func([]*pb.TapeInfo) error) error {
	request := &pb.ListTapesRequest{}
	complete := false
	return c.repeat(p, listDeadline, ignore, func(ctx context.Context) error {
		pages, err := c.stub.ListTapes(ctx, request)
		if err != nil {
			return err
		}
		for {
			page, err := pages.Recv()
			if errors.Is(err, io.EOF) || err != nil && complete {
				// After the last page, only the status of the stream can be lost.
				return nil
			}
			if err != nil {
				return err
			}
			p.renew()
			request.Marker = page.GetMarker()
			complete = page.GetMarker() == ""
			if err := show(page.GetTapeInfos()); err != nil {
				return err
			}
		}
	})
}

func ignore(*TapegateError) {}

// repeat makes a call until it succeeds, as the retry verdict of its errors says. Errors that are
// not of the call end it.
func (c *client) repeat(
	p *patience, deadline time.Duration, failed func(*TapegateError), call func(context.Context) error,
) error {
	for {
		requestID := uuid.NewString()
		err := c.attempt(p.limit(deadline), requestID, call)
		if err == nil {
			return nil
		}
		from, ok := status.FromError(err)
		if !ok {
			return err
		}
		failure := newTapegateError(from, requestID)
		failed(failure)
		if err := p.waitAfter(failure); err != nil {
			return err
		}
	}
}

func (c *client) attempt(timeout time.Duration, requestID string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx,
		"traceparent", fmt.Sprintf("00-%s-%s-01", c.trace, randomHex(8)),
		"x-request-id", requestID)
	if c.tokenFile != "" {
		// For each call, because the token can be rotated.
		token, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return err
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return call(ctx)
}

func randomHex(bytes int) string {
	random := make([]byte, bytes)
	rand.Read(random)
	return hex.EncodeToString(random)
}
