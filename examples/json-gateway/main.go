// Command json-gateway serves the methods of tapegate as JSON over HTTP, for clients that cannot use gRPC.
package main

//go:generate go build -o bin/ tool
//go:generate protoc --plugin=bin/protoc-gen-go --plugin=bin/protoc-gen-go-grpc --plugin=bin/protoc-gen-grpc-gateway -I../../proto --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative --grpc-gateway_out=. --grpc-gateway_opt=paths=source_relative,generate_unbound_methods=true tapegate/v1/tape.proto tapegate/v1/tape_service.proto

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	// Their messages are in the details of errors.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	pb "tapegate.example/gateway/tapegate/v1"
)

const (
	maxRequestBytes = 1 << 20
	requestTimeout  = 30 * time.Second
	drainTimeout    = 20 * time.Second
)

// Headers that the service reads or sends, beside authorization, which grpc-gateway passes on.
var passed = map[string]bool{
	"cache-control":          true,
	"traceparent":            true,
	"tracestate":             true,
	"x-request-id":           true,
	"x-amzn-requestid":       true,
	"x-tapegate-attempts":    true,
	"grpc-retry-pushback-ms": true,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "json-gateway:", err)
		os.Exit(1)
	}
}

func run() error {
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	address := cmp.Or(os.Getenv("TAPEGATE_ADDRESS"), "localhost:50051")
	transport := insecure.NewCredentials()
	if ca := os.Getenv("TAPEGATE_CA"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return fmt.Errorf("TAPEGATE_CA: %w", err)
		}
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return fmt.Errorf("TAPEGATE_ADDRESS: %w", err)
	}
	defer connection.Close()
	methods := newMux()
	// Not with the context of the signal: calls in progress may end.
	if err := pb.RegisterTapeServiceHandler(context.Background(), methods, connection); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080"))
	if err != nil {
		return fmt.Errorf("LISTEN: %w", err)
	}
	server := http.Server{
		Handler: http.MaxBytesHandler(onlyJSON(methods), maxRequestBytes),
		// Of the request alone: a list may take longer.
		ReadTimeout: requestTimeout,
	}
	fmt.Printf("listening http=%s\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-stop.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return server.Shutdown(drain)
}

func newMux() *runtime.ServeMux {
	marshaler := &runtime.JSONPb{
		// A field that the service does not know is an error: without a misspelled poolId, AWS chooses the pool.
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		// As grpcurl shows messages.
		MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: false},
	}
	pass := func(name string) (string, bool) {
		if lower := strings.ToLower(name); passed[lower] {
			return lower, true
		}
		return "", false
	}
	back := func(name string) (string, bool) {
		return textproto.CanonicalMIMEHeaderKey(name), passed[strings.ToLower(name)]
	}
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler),
		runtime.WithIncomingHeaderMatcher(pass),
		runtime.WithOutgoingHeaderMatcher(back),
		runtime.WithOutgoingTrailerMatcher(back),
	)
}

// onlyJSON rejects what a web page of another origin could send without a preflight request, and what grpc-gateway
// would ignore: a query, and what follows the message.
func onlyJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodPost {
			response.Header().Set("Allow", http.MethodPost)
			http.Error(response, "send a POST", http.StatusMethodNotAllowed)
			return
		}
		kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			response.Header().Set("Accept-Post", "application/json")
			http.Error(response, "send a POST with Content-Type: application/json", http.StatusUnsupportedMediaType)
			return
		}
		message, err := io.ReadAll(request.Body)
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			http.Error(response, fmt.Sprintf("send at most %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil || !json.Valid(message) || request.URL.RawQuery != "" {
			http.Error(response, "send one JSON object in the body, and no query", http.StatusBadRequest)
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(message))
		next.ServeHTTP(response, request)
	})
}
