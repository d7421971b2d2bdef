package com.example.agent;

import com.google.gson.Gson;
import com.tapegate.v1.Tape;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;

/** An example of a backup agent: creates tapes and lists them. */
public final class Agent {
  private static final long GIB = 1L << 30;
  private static final int FAILED = 1;
  private static final int TRY_AGAIN = 2;
  private static final Set<String> OPTIONS =
      Set.of("gateway", "prefix", "count", "gib", "pool", "pending", "give-up");
  private static final String KEPT =
      """
      keeps the request, with its client_token. AWS does not say how long it remembers a token:
      after ten minutes, look for the tapes with `agent list` before you send the request again.""";
  private static final String USAGE =
      """
      usage:
        agent create --gateway ARN --prefix PREFIX --count N --gib N --pool POOL --pending FILE [--give-up SECONDS]
        agent list [--give-up SECONDS]""";

  private static final class UsageException extends Exception {
    UsageException(String message) {
      super(message);
    }
  }

  private Agent() {}

  private static void create(TapegateClient tapegate, Pending pending, Pending.Request wanted, Patience patience)
      throws Exception {
    Optional<Pending.Request> earlier = pending.load();
    if (earlier.isPresent()) {
      System.err.println("resuming the request of " + pending.path() + ", which an earlier run left");
    } else {
      pending.store(wanted);
    }
    Pending.Request request = earlier.orElse(wanted);
    // Whether an attempt may have created the tapes.
    AtomicBoolean uncertain = new AtomicBoolean(earlier.isPresent());
    List<String> tapeArns;
    try {
      tapeArns =
          tapegate.createTapes(
              request.toProto(),
              patience,
              error -> {
                if (!error.outcome().equals("not_applied") || !error.earlierOutcome().isEmpty()) {
                  uncertain.set(true);
                }
              });
      uncertain.set(true);
      waitUntilAvailable(tapegate, request.gatewayArn(), tapeArns, patience);
    } catch (Exception error) {
      if (error instanceof TapegateException && !uncertain.get()) {
        pending.remove();
      } else {
        System.err.println(pending.path() + " " + KEPT);
      }
      throw error;
    }
    System.out.println(new Gson().toJson(Map.of("tapes", tapeArns)));
    checkOutput();
    pending.remove();
  }

  private static void waitUntilAvailable(
      TapegateClient tapegate, String gatewayArn, List<String> tapeArns, Patience patience) throws Exception {
    for (long pause = 1; ; pause = Math.min(5, pause + 1)) {
      List<Tape> tapes = tapegate.describeTapes(gatewayArn, tapeArns, patience);
      boolean available = tapes.size() == tapeArns.size();
      for (Tape tape : tapes) {
        available &= isAvailable(tape);
      }
      if (available) {
        for (Tape tape : tapes) {
          // Unlike getPoolId(), it also has custom pools and storage classes that this program does not know.
          System.err.println(tape.getTapeBarcode() + " is available, pool " + tape.getPoolIdText());
        }
        return;
      }
      patience.sleep(Duration.ofSeconds(pause), "that tapes are still being created");
    }
  }

  private static boolean isAvailable(Tape tape) throws IOException {
    return switch (tape.getTapeStatus()) {
      case TAPE_STATUS_AVAILABLE -> true;
      case TAPE_STATUS_IRRECOVERABLE, TAPE_STATUS_DELETING, TAPE_STATUS_DELETED ->
          throw new IOException(tape.getTapeArn() + " is " + tape.getTapeStatusText());
      // CREATING, or a status of a later release, which is UNRECOGNIZED here.
      default -> false;
    };
  }

  private static void list(TapegateClient tapegate, Patience patience) throws Exception {
    // A tape that is archived or retrieved meanwhile can be on two pages.
    Set<String> printed = new HashSet<>();
    tapegate.listTapes(
        patience,
        page ->
            page.getTapeInfosList().stream()
                .map(tape -> tape.getTapeArn())
                .filter(printed::add)
                .forEach(System.out::println));
    checkOutput();
  }

  /** A PrintStream keeps its errors to itself. */
  private static void checkOutput() throws IOException {
    if (System.out.checkError()) {
      throw new IOException("cannot write to the standard output");
    }
  }

  private static Map<String, String> parse(String[] arguments) throws UsageException {
    Map<String, String> options = new HashMap<>(Map.of("give-up", "120"));
    for (int at = 1; at < arguments.length; at++) {
      String[] parts = arguments[at].split("=", 2);
      String name = parts[0].startsWith("--") ? parts[0].substring(2) : "";
      if (!OPTIONS.contains(name)) {
        throw new UsageException("unknown option " + parts[0]);
      }
      if (parts.length == 1 && at + 1 == arguments.length) {
        throw new UsageException("--" + name + " has no value");
      }
      options.put(name, parts.length == 2 ? parts[1] : arguments[++at]);
    }
    return options;
  }

  private static String text(Map<String, String> options, String name) throws UsageException {
    if (!options.containsKey(name)) {
      throw new UsageException("--" + name + " is missing");
    }
    return options.get(name);
  }

  private static void run(String[] arguments) throws Exception {
    Map<String, String> options = parse(arguments);
    if (!System.getenv().containsKey("TAPEGATE_ADDRESS")) {
      throw new UsageException("TAPEGATE_ADDRESS is not set; it is the host:port of the service");
    }
    Patience patience = new Patience(Duration.ofMillis((long) (Double.parseDouble(options.get("give-up")) * 1000)));
    try (TapegateClient tapegate = new TapegateClient(System.getenv())) {
      switch (arguments.length == 0 ? "" : arguments[0]) {
        case "create" -> {
          Pending.Request request =
              new Pending.Request(
                  text(options, "gateway"),
                  Long.parseLong(text(options, "gib")) * GIB,
                  UUID.randomUUID().toString(),
                  Integer.parseInt(text(options, "count")),
                  text(options, "prefix"),
                  text(options, "pool"));
          create(tapegate, new Pending(Path.of(text(options, "pending"))), request, patience);
        }
        case "list" -> list(tapegate, patience);
        default -> throw new UsageException("the command is create or list");
      }
    }
  }

  public static void main(String[] arguments) {
    int code = 0;
    try {
      run(arguments);
    } catch (Patience.GaveUpException error) {
      System.err.println(error.getMessage() + "\nrun the same command again");
      code = TRY_AGAIN;
    } catch (UsageException error) {
      System.err.println(error.getMessage() + "\n" + USAGE);
      code = FAILED;
    } catch (Exception error) {
      System.err.println(error);
      code = FAILED;
    }
    System.exit(code);
  }
}
