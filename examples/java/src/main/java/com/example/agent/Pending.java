package com.example.agent;

import com.google.gson.Gson;
import com.tapegate.v1.CreateTapesRequest;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * The file that keeps a request from before its first attempt until its tapes are reported. An agent that was
 * interrupted sends the request again with the same client_token, so that it creates no further tapes.
 */
record Pending(Path path) {
  /** The fields of a {@link CreateTapesRequest} that this agent uses. */
  record Request(
      String gatewayArn,
      long tapeSizeInBytes,
      String clientToken,
      int numTapesToCreate,
      String tapeBarcodePrefix,
      String customPoolId) {
    CreateTapesRequest toProto() {
      return CreateTapesRequest.newBuilder()
          .setGatewayArn(gatewayArn)
          .setTapeSizeInBytes(tapeSizeInBytes)
          .setClientToken(clientToken)
          .setNumTapesToCreate(numTapesToCreate)
          .setTapeBarcodePrefix(tapeBarcodePrefix)
          // Also takes the names of storage classes, those of later releases too.
          .setCustomPoolId(customPoolId)
          .build();
    }
  }

  Optional<Request> load() throws IOException {
    return Files.exists(path)
        ? Optional.of(new Gson().fromJson(Files.readString(path), Request.class))
        : Optional.empty();
  }

  void store(Request request) throws IOException {
    Path temporary = path.resolveSibling(path.getFileName() + ".new");
    Files.writeString(temporary, new Gson().toJson(request));
    sync(temporary);
    Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    sync(path.toAbsolutePath().getParent());
  }

  void remove() throws IOException {
    Files.delete(path);
    sync(path.toAbsolutePath().getParent());
  }

  /** Makes the content of a file, or the names in a folder, durable. */
  private static void sync(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }
}
