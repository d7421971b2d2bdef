// Go façade over the tape API of AWS Storage Gateway, which benchmarks compare
// tapegate with: grpc-go and the AWS SDK, without interceptors.
//
// It serves one region and one account: those of --region and of the credentials.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/storagegateway"
	"github.com/aws/aws-sdk-go-v2/service/storagegateway/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "tapegate.test/peer/tapegate/v1"
)

const (
	// The most concurrent calls of the benchmarks: each can keep its connection. The SDK's default
	// of 10 idle connections per host would open a new one for most calls.
	maxIdleConns = 600
	// AWS's default for the number of tapes of a page.
	defaultLimit = 100
)

// server answers DescribeTapes and DescribeTapeArchives with UNIMPLEMENTED: no benchmark calls them.
type server struct {
	pb.UnimplementedTapeServiceServer
	region string
	client *storagegateway.Client
}

func (s *server) CreateTapeWithBarcode(
	ctx context.Context, request *pb.CreateTapeWithBarcodeRequest,
) (*pb.CreateTapeWithBarcodeResponse, error) {
	pool := poolName(request.Pool)
	output, err := s.client.CreateTapeWithBarcode(ctx, &storagegateway.CreateTapeWithBarcodeInput{
		GatewayARN:      &request.GatewayArn,
		TapeSizeInBytes: &request.TapeSizeInBytes,
		TapeBarcode:     &request.TapeBarcode,
		KMSEncrypted:    request.KmsEncrypted,
		KMSKey:          request.KmsKey,
		PoolId:          pool,
		Worm:            request.GetWorm(),
		Tags:            tags(request.Tags),
	})
	if err != nil {
		return nil, failure(ctx, err)
	}
	return &pb.CreateTapeWithBarcodeResponse{
		TapeArn:         aws.ToString(output.TapeARN),
		PoolId:          poolID(pool),
		PoolIdText:      pool,
		UnconfirmedTags: request.Tags,
	}, nil
}

func (s *server) CreateTapes(
	ctx context.Context, request *pb.CreateTapesRequest,
) (*pb.CreateTapesResponse, error) {
	pool := poolName(request.Pool)
	output, err := s.client.CreateTapes(ctx, &storagegateway.CreateTapesInput{
		GatewayARN:        &request.GatewayArn,
		TapeSizeInBytes:   &request.TapeSizeInBytes,
		ClientToken:       &request.ClientToken,
		NumTapesToCreate:  &request.NumTapesToCreate,
		TapeBarcodePrefix: &request.TapeBarcodePrefix,
		KMSEncrypted:      request.KmsEncrypted,
		KMSKey:            request.KmsKey,
		PoolId:            pool,
		Worm:              request.GetWorm(),
		Tags:              tags(request.Tags),
	})
	if err != nil {
		return nil, failure(ctx, err)
	}
	return &pb.CreateTapesResponse{
		TapeArns:   output.TapeARNs,
		PoolId:     poolID(pool),
		PoolIdText: pool,
	}, nil
}

func (s *server) ListTapes(
	request *pb.ListTapesRequest, stream grpc.ServerStreamingServer[pb.ListTapesResponse],
) error {
	if request.Region != nil && *request.Region != s.region {
		return status.Errorf(codes.InvalidArgument, "region: must be %s", s.region)
	}
	if request.MaxItems < 0 {
		return status.Error(codes.InvalidArgument, "max_items: must not be negative")
	}
	ctx := stream.Context()
	marker, remaining := request.Marker, request.MaxItems
	var missing []string
	if marker == "" {
		missing = slices.Clone(request.TapeArns)
	}
	for {
		limit := request.Limit
		if request.MaxItems > 0 {
			limit = int32(min(int64(cmp.Or(limit, defaultLimit)), remaining))
		}
		page, err := s.client.ListTapes(ctx, &storagegateway.ListTapesInput{
			TapeARNs: request.TapeArns,
			Marker:   unlessZero(marker),
			Limit:    unlessZero(limit),
		})
		if err != nil {
			return failure(ctx, err)
		}
		marker = aws.ToString(page.Marker)
		remaining -= int64(len(page.TapeInfos))
		response := &pb.ListTapesResponse{Marker: marker}
		for i := range page.TapeInfos {
			response.TapeInfos = append(response.TapeInfos, tapeInfo(&page.TapeInfos[i]))
		}
		if len(missing) > 0 {
			missing = slices.DeleteFunc(missing, func(arn string) bool {
				return slices.ContainsFunc(response.TapeInfos, func(tape *pb.TapeInfo) bool {
					return tape.TapeArn == arn
				})
			})
			if marker == "" {
				response.MissingTapeArns = missing
			}
		}
		if err := stream.Send(response); err != nil {
			return err
		}
		if marker == "" || request.MaxItems > 0 && remaining <= 0 {
			return nil
		}
	}
}

func tapeInfo(tape *types.TapeInfo) *pb.TapeInfo {
	return &pb.TapeInfo{
		TapeArn:            aws.ToString(tape.TapeARN),
		TapeBarcode:        tape.TapeBarcode,
		TapeSizeInBytes:    tape.TapeSizeInBytes,
		TapeStatus:         tapeStatus(tape.TapeStatus),
		TapeStatusText:     tape.TapeStatus,
		GatewayArn:         tape.GatewayARN,
		PoolId:             poolID(tape.PoolId),
		PoolIdText:         tape.PoolId,
		RetentionStartDate: timestamp(tape.RetentionStartDate),
		PoolEntryDate:      timestamp(tape.PoolEntryDate),
	}
}

// tapeStatus is TAPE_STATUS_UNSPECIFIED for a status that is not in the enum.
func tapeStatus(text *string) pb.TapeStatus {
	name := strings.ReplaceAll(aws.ToString(text), " ", "_")
	return pb.TapeStatus(pb.TapeStatus_value["TAPE_STATUS_"+name])
}

// poolID is POOL_ID_UNSPECIFIED for a custom pool.
func poolID(text *string) pb.PoolId {
	return pb.PoolId(pb.PoolId_value["POOL_ID_"+aws.ToString(text)])
}

// poolName is AWS's name of the pool that a create chooses; nil without one.
func poolName(chosen any) *string {
	switch chosen := chosen.(type) {
	case *pb.CreateTapeWithBarcodeRequest_PoolId:
		return storageClass(chosen.PoolId)
	case *pb.CreateTapeWithBarcodeRequest_CustomPoolId:
		return &chosen.CustomPoolId
	case *pb.CreateTapesRequest_PoolId:
		return storageClass(chosen.PoolId)
	case *pb.CreateTapesRequest_CustomPoolId:
		return &chosen.CustomPoolId
	}
	return nil
}

// storageClass is AWS's name. AWS rejects the one of POOL_ID_UNSPECIFIED.
func storageClass(id pb.PoolId) *string {
	name := strings.TrimPrefix(id.String(), "POOL_ID_")
	return &name
}

func tags(of []*pb.Tag) []types.Tag {
	var tags []types.Tag
	for _, tag := range of {
		tags = append(tags, types.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	return tags
}

func timestamp(at *time.Time) *timestamppb.Timestamp {
	if at == nil {
		return nil
	}
	return timestamppb.New(*at)
}

func unlessZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// failure is UNAVAILABLE without a response and for HTTP 5xx, otherwise INTERNAL.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	var unsent *smithyhttp.RequestSendError
	var response *smithyhttp.ResponseError
	if errors.As(err, &unsent) || errors.As(err, &response) && response.HTTPStatusCode() >= 500 {
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}

// httpClient hides the WriteTo of request bodies from net/http. The SDK closes a body as soon as the
// response begins, and the WriteTo of a closed body returns io.EOF. If net/http has not finished with
// the request by then, it closes the connection: about 1 % of the calls to a fast upstream fail with
// "use of closed network connection" (aws/aws-sdk-go-v2#2737).
type httpClient struct {
	*awshttp.BuildableClient
}

func (c httpClient) Do(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		request.Body = struct{ io.ReadCloser }{request.Body}
	}
	return c.BuildableClient.Do(request)
}

func newClient(upstream, region string) *storagegateway.Client {
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.MaxIdleConns = maxIdleConns
		transport.MaxIdleConnsPerHost = maxIdleConns
	})
	return storagegateway.New(storagegateway.Options{
		Region:       region,
		BaseEndpoint: &upstream,
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		HTTPClient: httpClient{transport},
		Retryer:    aws.NopRetryer{},
	})
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "the `address` of the gRPC listener")
	upstream := flag.String("upstream", "", "the `URL` of the AWS API")
	region := flag.String("region", "us-east-1", "the AWS `region`")
	flag.Parse()
	if *upstream == "" {
		log.Fatal("--upstream is required")
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	service := grpc.NewServer()
	pb.RegisterTapeServiceServer(service, &server{region: *region, client: newClient(*upstream, *region)})
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ended, service.Stop)
	fmt.Printf("listening grpc=%s\n", listener.Addr())
	if err := service.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
