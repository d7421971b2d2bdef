"""gzip, as a stock client sends and accepts it."""

import grpc
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.process import dev
from harness.seeds import tape_arn


def listed(address: str, compression: grpc.Compression) -> list[str]:
    # grpcio compresses a message only if that makes it shorter.
    request = ListTapesRequest(tape_arns=[tape_arn(f"TST{number:06}") for number in range(1, 1000)])
    with grpc.insecure_channel(address, compression=compression) as channel:
        pages = list(TapeServiceStub(channel).ListTapes(request, timeout=30))
    return [tape.tape_arn for page in pages for tape in page.tape_infos]


def test_compressed_requests_and_responses_carry_what_others_do():
    with dev() as plain, dev("--compress-responses") as compressing:
        uncompressed = listed(plain.grpc, grpc.Compression.NoCompression)
        assert uncompressed
        assert listed(plain.grpc, grpc.Compression.Gzip) == uncompressed
        assert listed(compressing.grpc, grpc.Compression.Gzip) == uncompressed
