// Package clients calls tapegate as a Go program does, with grpc-go and its generated stubs.
// pytest starts the servers and runs each test by its name: see test_go.py.
package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "tapegate.test/clients/tapegate/v1"
)

const gateway = "arn:aws:storagegateway:us-east-1:123456789012:gateway/sgw-12A3456B"

// The client of the server that pytest started, with the options of docs/service-config.md; it loads service_config.json where pytest says so.
func tapes(t *testing.T) pb.TapeServiceClient {
	t.Helper()
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
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
			t.Fatal(err)
		}
		options = append(options, grpc.WithDefaultServiceConfig(string(config)))
	}
	conn, err := grpc.NewClient(os.Getenv("TAPEGATE_TARGET"), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pb.NewTapeServiceClient(conn)
}

func create() *pb.CreateTapeWithBarcodeRequest {
	return &pb.CreateTapeWithBarcodeRequest{
		GatewayArn:      gateway,
		TapeSizeInBytes: 100 << 30,
		TapeBarcode:     os.Getenv("TAPEGATE_BARCODE"),
	}
}

func list(ctx context.Context, tapes pb.TapeServiceClient, options ...grpc.CallOption) error {
	pages, err := tapes.ListTapes(ctx, &pb.ListTapesRequest{MaxItems: 1}, options...)
	for err == nil {
		_, err = pages.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// The ErrorInfo of an error, of which there is one.
func info(t *testing.T, err error) *errdetails.ErrorInfo {
	t.Helper()
	var found []*errdetails.ErrorInfo
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			found = append(found, info)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d ErrorInfo in %v", len(found), err)
	}
	return found[0]
}

func TestDeadlineOfOneSecond(t *testing.T) {
	tapes := tapes(t)
	for name, call := range map[string]func(context.Context) error{
		"unary": func(ctx context.Context) error {
			_, err := tapes.CreateTapeWithBarcode(ctx, create())
			return err
		},
		"stream": func(ctx context.Context) error { return list(ctx, tapes) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			began := time.Now()
			err := call(ctx)
			took := time.Since(began)
			if status.Code(err) != codes.DeadlineExceeded || info(t, err).Reason != "DEADLINE_EXCEEDED" {
				t.Fatalf("after %v: %v", took, err)
			}
			if took >= time.Second || ctx.Err() != nil {
				t.Fatalf("it was the client's own timer, after %v", took)
			}
		})
	}
}

// The call succeeds, and the library sent it as often as pytest says.
func TestRepeated(t *testing.T) {
	tapes := tapes(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	least, _ := strconv.Atoi(os.Getenv("TAPEGATE_LEAST_MS"))
	began := time.Now()
	var err error
	if os.Getenv("TAPEGATE_BARCODE") != "" {
		_, err = tapes.CreateTapeWithBarcode(ctx, create())
	} else {
		err = list(ctx, tapes)
	}
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Duration(least)*time.Millisecond {
		t.Fatalf("after %v: the server had asked for %d ms", took, least)
	}
}

// Both calls succeed, whatever pytest does to the connection between them.
func TestSurvives(t *testing.T) {
	tapes := tapes(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	if err := list(ctx, tapes); err != nil {
		t.Fatal(err)
	}
	fmt.Println("listed once")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := list(ctx, tapes); err != nil {
		t.Fatal(err)
	}
}

// The call fails at once, with the reason that pytest names.
func TestNotRepeated(t *testing.T) {
	tapes := tapes(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var trailer metadata.MD
	err := list(ctx, tapes, grpc.Trailer(&trailer))
	if err == nil || info(t, err).Reason != os.Getenv("TAPEGATE_REASON") {
		t.Fatal(err)
	}
}
