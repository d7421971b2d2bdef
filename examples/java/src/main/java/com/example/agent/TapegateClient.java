package com.example.agent;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.tapegate.v1.CreateTapesRequest;
import com.tapegate.v1.DescribeTapesRequest;
import com.tapegate.v1.ListTapesRequest;
import com.tapegate.v1.ListTapesResponse;
import com.tapegate.v1.Tape;
import com.tapegate.v1.TapeServiceGrpc;
import com.tapegate.v1.TapeServiceGrpc.TapeServiceBlockingStub;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A client of tapegate that repeats calls as the service says. The calls of one client share a trace. */
public final class TapegateClient implements AutoCloseable {
  private static final Duration CREATE_DEADLINE = Duration.ofSeconds(30);
  private static final Duration DESCRIBE_DEADLINE = Duration.ofSeconds(30);
  private static final Duration LIST_DEADLINE = Duration.ofSeconds(60);

  private static final Metadata.Key<String> AUTHORIZATION = key("authorization");
  private static final Metadata.Key<String> REQUEST_ID = key("x-request-id");
  private static final Metadata.Key<String> TRACEPARENT = key("traceparent");

  private final ManagedChannel channel;
  private final String tokenFile;
  private final String trace = randomHex(16);

  /** {@code environment} has {@code TAPEGATE_ADDRESS} and the other variables that the README names. */
  public TapegateClient(Map<String, String> environment) throws IOException {
    String ca = environment.get("TAPEGATE_CA");
    ChannelCredentials credentials =
        ca == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilder(environment.get("TAPEGATE_ADDRESS"), credentials)
            .keepAliveTime(10, TimeUnit.SECONDS)
            .keepAliveTimeout(5, TimeUnit.SECONDS)
            .keepAliveWithoutCalls(true);
    String config = environment.get("TAPEGATE_SERVICE_CONFIG");
    if (config != null) {
      // Gson reads numbers as Double, as grpc-java wants them.
      Map<String, Object> parsed = new Gson().fromJson(Files.readString(Path.of(config)), new TypeToken<>() {});
      builder.defaultServiceConfig(parsed);
    }
    channel = builder.build();
    tokenFile = environment.get("TAPEGATE_TOKEN_FILE");
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  /** Returns the ARNs of the new tapes. {@code failed} gets the error of each attempt. */
  public List<String> createTapes(CreateTapesRequest request, Patience patience, Consumer<TapegateException> failed)
      throws TapegateException, Patience.GaveUpException, IOException, InterruptedException {
    while (true) {
      String requestId = UUID.randomUUID().toString();
      try {
        return stub(requestId, patience.limit(CREATE_DEADLINE)).createTapes(request).getTapeArnsList();
      } catch (StatusRuntimeException thrown) {
        TapegateException error = new TapegateException(thrown, requestId);
        failed.accept(error);
        patience.waitAfter(error);
      }
    }
  }

  /** Returns those of the tapes that the library of the gateway has. They are few: each attempt starts anew. */
  public List<Tape> describeTapes(String gatewayArn, List<String> tapeArns, Patience patience)
      throws TapegateException, Patience.GaveUpException, IOException, InterruptedException {
    DescribeTapesRequest request =
        DescribeTapesRequest.newBuilder().setGatewayArn(gatewayArn).addAllTapeArns(tapeArns).build();
    while (true) {
      String requestId = UUID.randomUUID().toString();
      try {
        List<Tape> tapes = new ArrayList<>();
        stub(requestId, patience.limit(DESCRIBE_DEADLINE))
            .describeTapes(request)
            .forEachRemaining(page -> tapes.addAll(page.getTapesList()));
        return tapes;
      } catch (StatusRuntimeException thrown) {
        patience.waitAfter(new TapegateException(thrown, requestId));
      }
    }
  }

  /** Passes the pages of all tapes on as they come. After an error the list resumes at the last marker. */
  public void listTapes(Patience patience, Consumer<ListTapesResponse> onPage)
      throws TapegateException, Patience.GaveUpException, IOException, InterruptedException {
    String marker = "";
    boolean complete = false;
    while (true) {
      String requestId = UUID.randomUUID().toString();
      ListTapesRequest request = ListTapesRequest.newBuilder().setMarker(marker).build();
      try {
        var pages = stub(requestId, patience.limit(LIST_DEADLINE)).listTapes(request);
        while (pages.hasNext()) {
          ListTapesResponse page = pages.next();
          patience.renew();
          marker = page.getMarker();
          complete = marker.isEmpty();
          onPage.accept(page);
        }
        return;
      } catch (StatusRuntimeException thrown) {
        // After the last page, only the status of the stream was lost.
        if (complete) {
          return;
        }
        patience.waitAfter(new TapegateException(thrown, requestId));
      }
    }
  }

  /** A stub for one call. The token is read each time, because it can be rotated. */
  private TapeServiceBlockingStub stub(String requestId, Duration timeout) throws IOException {
    Metadata headers = new Metadata();
    headers.put(TRACEPARENT, "00-" + trace + "-" + randomHex(8) + "-01");
    headers.put(REQUEST_ID, requestId);
    if (tokenFile != null) {
      headers.put(AUTHORIZATION, "Bearer " + Files.readString(Path.of(tokenFile)).strip());
    }
    // grpc-java waits up to 2 minutes before it connects again, and has no setting for it. A new call does not wait.
    channel.resetConnectBackoff();
    return TapeServiceGrpc.newBlockingStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        .withDeadlineAfter(timeout);
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static String randomHex(int length) {
    byte[] bytes = new byte[length];
    new SecureRandom().nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }
}
