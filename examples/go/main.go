// Agent is an example of a backup agent: it creates tapes and lists them.
package main

//go:generate go build -o bin/ tool
//go:generate protoc --plugin=bin/protoc-gen-go --plugin=bin/protoc-gen-go-grpc -I../../proto --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative tapegate/v1/tape.proto tapegate/v1/tape_service.proto

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	pb "tapegate.example/agent/tapegate/v1"
)

const usage = `usage:
  agent create --gateway ARN --prefix BCK --count 3 --gib 100 --pool GLACIER --pending FILE [--give-up SECONDS]
  agent list [--give-up SECONDS]`

const kept = `%s keeps the request, with its client_token. AWS does not say how long it remembers a token:
after ten minutes, look for the tapes with "agent list" before you send the request again.
`

// Exit codes.
const (
	failed   = 1
	tryAgain = 2
)

func main() {
	err := run(os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, errGaveUp):
		fmt.Fprintf(os.Stderr, "%v\nrun the same command again\n", err)
		os.Exit(tryAgain)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(failed)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New(usage)
	}
	command, request := arguments[0], &pb.CreateTapesRequest{}
	var pool, pending string
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	giveUp := flags.Float64("give-up", 120, "")
	if command == "create" {
		flags.StringVar(&request.GatewayArn, "gateway", "", "")
		flags.StringVar(&request.TapeBarcodePrefix, "prefix", "", "")
		flags.Func("count", "", func(text string) error {
			count, err := strconv.ParseInt(text, 10, 32)
			request.NumTapesToCreate = int32(count)
			return err
		})
		flags.Func("gib", "", func(text string) error {
			// Its bytes fit into 63 bits.
			gib, err := strconv.ParseInt(text, 10, 34)
			request.TapeSizeInBytes = gib << 30
			return err
		})
		flags.StringVar(&pool, "pool", "", "")
		flags.StringVar(&pending, "pending", "", "")
	}
	err := flags.Parse(arguments[1:])
	complete := command == "list" || command == "create" && pool != "" && pending != ""
	if err != nil || flags.NArg() > 0 || !complete {
		return errors.Join(err, errors.New(usage))
	}

	tapegate, err := newClient()
	if err != nil {
		return err
	}
	defer tapegate.close()
	p := newPatience(time.Duration(*giveUp * float64(time.Second)))
	if command == "list" {
		return list(tapegate, p)
	}
	// Also takes the names of storage classes, those of later releases too.
	request.Pool = &pb.CreateTapesRequest_CustomPoolId{CustomPoolId: pool}
	return create(tapegate, p, request, pending)
}

func create(tapegate *client, p *patience, request *pb.CreateTapesRequest, pending string) error {
	stored, err := load(pending)
	// Whether an attempt may have created the tapes.
	uncertain := err == nil
	switch {
	case err == nil:
		fmt.Fprintf(os.Stderr, "resuming the request of %s, which an earlier run left\n", pending)
		request = stored
	case errors.Is(err, fs.ErrNotExist):
		request.ClientToken = uuid.NewString()
		if err := store(request, pending); err != nil {
			return err
		}
	default:
		return err
	}

	tapeARNs, err := tapegate.createTapes(p, request, func(failure *TapegateError) {
		uncertain = uncertain || failure.Outcome != NotApplied || failure.EarlierOutcome != ""
	})
	if err == nil {
		uncertain = true
		err = waitUntilAvailable(tapegate, p, request.GetGatewayArn(), tapeARNs)
	}
	var failure *TapegateError
	if errors.As(err, &failure) && !uncertain {
		return errors.Join(err, remove(pending))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, kept, pending)
		return err
	}
	report := map[string][]string{"tapes": tapeARNs}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return err
	}
	return remove(pending)
}

func waitUntilAvailable(tapegate *client, p *patience, gatewayARN string, tapeARNs []string) error {
	for pause := time.Second; ; pause = min(5*time.Second, pause+time.Second) {
		tapes, err := tapegate.describeTapes(p, gatewayARN, tapeARNs)
		if err != nil {
			return err
		}
		available := 0
		for _, tape := range tapes {
			switch tape.GetTapeStatus() {
			case pb.TapeStatus_TAPE_STATUS_AVAILABLE:
				available++
			case pb.TapeStatus_TAPE_STATUS_IRRECOVERABLE,
				pb.TapeStatus_TAPE_STATUS_DELETING,
				pb.TapeStatus_TAPE_STATUS_DELETED:
				return fmt.Errorf("%s is %s", tape.GetTapeArn(), tape.GetTapeStatusText())
			default:
				// CREATING, or a status of a later release.
			}
		}
		if available == len(tapeARNs) {
			for _, tape := range tapes {
				// Unlike PoolId, it also has custom pools and storage classes that this program does not know.
				fmt.Fprintf(os.Stderr, "%s is available, pool %s\n", tape.GetTapeBarcode(), tape.GetPoolIdText())
			}
			return nil
		}
		if err := p.sleep(pause, "that tapes are still being created"); err != nil {
			return err
		}
	}
}

func list(tapegate *client, p *patience) error {
	// A tape that is archived or retrieved meanwhile can be on two pages.
	printed := map[string]bool{}
	return tapegate.listTapes(p, func(tapes []*pb.TapeInfo) error {
		for _, tape := range tapes {
			if arn := tape.GetTapeArn(); !printed[arn] {
				printed[arn] = true
				if _, err := fmt.Println(arn); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// The pending file keeps a request from before its first attempt until its tapes are reported. It is
// what makes a create safe against a crash of the agent: the next run sends the same client_token.

func load(pending string) (*pb.CreateTapesRequest, error) {
	text, err := os.ReadFile(pending)
	if err != nil {
		return nil, err
	}
	request := &pb.CreateTapesRequest{}
	if err := protojson.Unmarshal(text, request); err != nil {
		return nil, fmt.Errorf("%s: %w", pending, err)
	}
	return request, nil
}

func store(request *pb.CreateTapesRequest, pending string) error {
	text, err := protojson.Marshal(request)
	if err != nil {
		return err
	}
	temporary := pending + ".new"
	file, err := os.Create(temporary)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, pending); err != nil {
		return err
	}
	return syncFolder(pending)
}

func remove(pending string) error {
	if err := os.Remove(pending); err != nil {
		return err
	}
	return syncFolder(pending)
}

// syncFolder makes a rename or a removal durable.
func syncFolder(pending string) error {
	folder, err := os.Open(filepath.Dir(pending))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
