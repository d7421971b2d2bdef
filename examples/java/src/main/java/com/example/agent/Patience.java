package com.example.agent;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** The time that a piece of work has for all of its attempts. */
public final class Patience {
  private static final long SHORTEST_BACKOFF_MILLIS = 500;
  private static final long LONGEST_BACKOFF_MILLIS = 10_000;

  private final Duration total;
  private long ends;
  private int failures;

  /** The time is over, and the call can succeed later. */
  public static final class GaveUpException extends Exception {
    GaveUpException(String message) {
      super(message);
    }
  }

  public Patience(Duration total) {
    this.total = total;
    renew();
  }

  /** After progress. */
  public void renew() {
    ends = System.nanoTime() + total.toNanos();
    failures = 0;
  }

  /** The time for one call: {@code deadline}, or what remains if that is less. */
  public Duration limit(Duration deadline) {
    Duration remaining = remaining();
    return remaining.compareTo(deadline) < 0 ? remaining : deadline;
  }

  public void sleep(Duration time, Object why) throws GaveUpException, InterruptedException {
    if (time.compareTo(remaining()) >= 0) {
      throw new GaveUpException("gave up after " + total.toMillis() / 1000.0 + " s; the last answer was " + why);
    }
    Thread.sleep(time.toMillis());
  }

  /** Waits until the same call can be made again; throws the error if that cannot help. */
  public void waitAfter(TapegateException error) throws TapegateException, GaveUpException, InterruptedException {
    if (!error.retry().equals("same_call")) {
      throw error;
    }
    failures = Math.min(failures + 1, 10);
    long longest = Math.min(LONGEST_BACKOFF_MILLIS, SHORTEST_BACKOFF_MILLIS << failures);
    Duration backoff = Duration.ofMillis(ThreadLocalRandom.current().nextLong(SHORTEST_BACKOFF_MILLIS, longest));
    sleep(error.retryDelay().orElse(backoff), error);
  }

  private Duration remaining() {
    return Duration.ofNanos(Math.max(0, ends - System.nanoTime()));
  }
}
