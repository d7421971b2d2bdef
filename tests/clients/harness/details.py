"""What an error of the service says to programs."""

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status


def error_info(error: grpc.RpcError) -> ErrorInfo:
    """The ErrorInfo of an error; an empty one if it has none."""
    info = ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        detail.Unpack(info)
    return info
