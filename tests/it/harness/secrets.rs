//! Secrets that the tests plant, and everything that the service says, held against them.
//!
//! A secret that is found ends the test program at once: whichever test was running, the one
//! that has found it is the suite.

use std::{
    io::{self, Write},
    process::abort,
    sync::{Mutex, Once, PoisonError},
};

use tapegate::observability::telemetry::{self, Directives, LogFormat, LogSettings};

static PLANTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on nobody may say this.
pub fn plant(secret: &str) {
    assert!(secret.len() >= 12, "too short to be told from other words");
    PLANTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(secret.to_owned());
}

/// Holds what was said against all that is planted.
pub fn check(said: &str) {
    let planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(secret) = planted.iter().find(|secret| said.contains(*secret)) {
        // Nothing that a test harness could catch, or hold back.
        let _ = writeln!(io::stderr(), "the secret {secret:?} was said: {said}");
        abort();
    }
}

/// Listens to all that the service logs in this process, in the form in which it would.
pub fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let log = LogSettings {
            filter: Directives::parse("info,tapegate=trace").unwrap(),
            format: LogFormat::Json,
            queue: 1,
            ok_percent: 100,
        };
        telemetry::start(&log, None, || Listener).unwrap();
    });
}

/// Where the lines go.
struct Listener;

impl Write for Listener {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        check(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
