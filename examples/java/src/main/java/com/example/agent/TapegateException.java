package com.example.agent;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** A call that failed, with the details of its status. */
public final class TapegateException extends Exception {
  /** A field of the request that is wrong, and why. */
  public record Violation(String field, String description) {}

  /**
   * Without ErrorInfo, an error comes from the gRPC library, a proxy or another server. With these codes, the same call
   * fails again.
   */
  private static final Set<Status.Code> FINAL_WITHOUT_INFO =
      EnumSet.of(
          Status.Code.INVALID_ARGUMENT,
          Status.Code.NOT_FOUND,
          Status.Code.OUT_OF_RANGE,
          Status.Code.PERMISSION_DENIED,
          Status.Code.UNAUTHENTICATED,
          Status.Code.UNIMPLEMENTED);

  private final Status status;
  private final Optional<ErrorInfo> info;
  private final Optional<RetryInfo> retryInfo;
  private final List<Violation> violations;
  private final String requestId;

  /** {@code requestId} is the x-request-id of the call, for an error that did not come from the service. */
  public TapegateException(StatusRuntimeException error, String requestId) {
    super(withoutTrace(error.getStatus()), error);
    List<Any> details = details(error);
    this.status = error.getStatus();
    this.info = find(details, ErrorInfo.class);
    this.retryInfo = find(details, RetryInfo.class);
    this.violations =
        find(details, BadRequest.class).stream()
            .flatMap(request -> request.getFieldViolationsList().stream())
            .map(one -> new Violation(one.getField(), one.getDescription()))
            .toList();
    this.requestId = find(details, RequestInfo.class).map(RequestInfo::getRequestId).orElse(requestId);
  }

  public Status.Code code() {
    return status.getCode();
  }

  /** Empty if the error came from the gRPC library or from a proxy. */
  public String reason() {
    return info.map(ErrorInfo::getReason).orElse("");
  }

  /**
   * {@code same_call}, {@code after_change} or {@code never}. If the error did not come from the service, its code
   * decides.
   */
  public String retry() {
    String withoutInfo = FINAL_WITHOUT_INFO.contains(code()) ? "after_change" : "same_call";
    return info.map(present -> present.getMetadataOrDefault("retry", "")).orElse(withoutInfo);
  }

  /**
   * Of a create: {@code not_applied} or {@code unknown}. Empty for other calls and for errors that did not come from
   * the service.
   */
  public String outcome() {
    return metadata("outcome");
  }

  /** {@code unknown} if an earlier attempt of the service may have created the tapes, otherwise empty. */
  public String earlierOutcome() {
    return metadata("earlier_outcome");
  }

  /** How long to wait before the call is made again. */
  public Optional<Duration> retryDelay() {
    return retryInfo
        .map(RetryInfo::getRetryDelay)
        .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
  }

  public List<Violation> violations() {
    return violations;
  }

  public String requestId() {
    return requestId;
  }

  @Override
  public String toString() {
    String reason = reason().isEmpty() ? "(not from tapegate)" : reason();
    StringBuilder text = new StringBuilder(code() + " " + reason);
    text.append(": ").append(getMessage()).append(" (x-request-id ").append(requestId).append(")");
    violations.forEach(one -> text.append("\n  ").append(one.field()).append(": ").append(one.description()));
    return text.toString();
  }

  private static List<Any> details(StatusRuntimeException error) {
    try {
      return StatusProto.fromThrowable(error).getDetailsList();
    } catch (IllegalArgumentException notOfThisStatus) {
      // A proxy has changed the code or the details.
      return List.of();
    }
  }

  /** Of a connection that failed, grpc-java gives the stack trace in the description. */
  private static String withoutTrace(Status status) {
    String description = Objects.requireNonNullElse(status.getDescription(), "");
    return description.lines().filter(line -> !line.startsWith("\tat ")).collect(Collectors.joining("; "));
  }

  private String metadata(String key) {
    return info.map(present -> present.getMetadataOrDefault(key, "")).orElse("");
  }

  private static <T extends Message> Optional<T> find(List<Any> details, Class<T> type) {
    try {
      for (Any detail : details) {
        if (detail.is(type)) {
          return Optional.of(detail.unpack(type));
        }
      }
    } catch (InvalidProtocolBufferException changedByProxy) {
      // As if the detail were not there.
    }
    return Optional.empty();
  }
}
