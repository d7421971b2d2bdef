//! Writes lines in a thread of its own, so that a slow disk or a stuck reader delays no call.

use std::{
    fmt, io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long the thread collects lines after it has written some, unless it is told to finish. Under load, one
/// write has the lines of many calls, and no call has to wake the thread.
const COLLECT: Duration = Duration::from_millis(5);

/// A bounded queue of lines, and the thread that writes them. Clones share both.
#[derive(Clone)]
pub struct LineWriter {
    queue: Arc<Queue>,
    /// The most lines that are not written yet.
    capacity: usize,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The lines that the thread has not taken yet.
    lines: Vec<u8>,
    /// How many lines are not written yet, with those that the thread is writing.
    unwritten: usize,
    /// Whether the thread waits for a line, and has to be woken.
    is_idle: bool,
    is_finishing: bool,
    has_ended: bool,
}

/// The line was not taken: the queue is full, or the writer has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

impl LineWriter {
    /// Starts a thread with this name that passes the lines, in order and several at once, to `write`.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn start(
        name: &str,
        capacity: usize,
        mut write: impl FnMut(&[u8]) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let writer = Self {
            queue: queue.clone(),
            capacity,
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ended = Ended(&queue);
            while let Some((lines, count)) = queue.take() {
                write(&lines);
                queue.collect(count);
            }
        })?;
        Ok(writer)
    }

    /// Passes a line, with its newline, to the thread.
    ///
    /// # Errors
    ///
    /// [`NotTaken`].
    pub fn write(&self, line: &[u8]) -> Result<(), NotTaken> {
        let mut state = self.queue.lock();
        if state.unwritten >= self.capacity || state.is_finishing {
            return Err(NotTaken);
        }
        state.lines.extend_from_slice(line);
        state.unwritten += 1;
        if mem::take(&mut state.is_idle) {
            drop(state);
            self.queue.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until all lines are written, for at most `patience`, and takes no more of them. Returns how many are
    /// not written.
    pub fn finish(&self, patience: Duration) -> usize {
        let mut state = self.queue.lock();
        state.is_finishing = true;
        self.queue.changed.notify_all();
        let (state, _) = self
            .queue
            .changed
            .wait_timeout_while(state, patience, |state| !state.has_ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.unwritten
    }
}

impl fmt::Debug for LineWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter").finish_non_exhaustive()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines, and takes them with their number; `None` when the writer finishes.
    fn take(&self) -> Option<(Vec<u8>, usize)> {
        let mut state = self.lock();
        while state.lines.is_empty() {
            if state.is_finishing {
                return None;
            }
            state.is_idle = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some((mem::take(&mut state.lines), state.unwritten))
    }

    /// Records that so many lines are written, and gives the next ones time to come.
    fn collect(&self, written: usize) {
        let mut state = self.lock();
        state.unwritten -= written;
        let wait = |state: &mut State| !state.is_finishing;
        drop(self.changed.wait_timeout_while(state, COLLECT, wait));
    }
}

/// Tells that the thread has ended, also by a panic.
struct Ended<'q>(&'q Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_finishing = true;
        state.has_ended = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use std::sync::mpsc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn lines_are_written_in_order_and_all_of_them_before_it_finishes() {
        let (sender, written) = mpsc::channel();
        let writer = LineWriter::start("lines", 10_000, move |lines: &[u8]| {
            sender.send(lines.to_vec()).unwrap();
        });
        let writer = writer.unwrap();
        let lines: Vec<_> = (0..5_000).map(|line| format!("{line}\n")).collect();
        for line in &lines {
            writer.write(line.as_bytes()).unwrap();
        }
        assert_eq!(writer.finish(PATIENCE), 0);
        assert_eq!(writer.write(b"late\n"), Err(NotTaken));
        let written: Vec<u8> = written.into_iter().flatten().collect();
        assert_eq!(String::from_utf8(written).unwrap(), lines.concat());
    }

    #[test]
    fn a_line_that_comes_alone_is_written_at_once() {
        let (sender, written) = mpsc::channel();
        let writer = LineWriter::start("lines", 10, move |lines: &[u8]| {
            sender.send(lines.to_vec()).unwrap();
        });
        let writer = writer.unwrap();
        for line in ["first\n", "second\n"] {
            writer.write(line.as_bytes()).unwrap();
            assert_eq!(written.recv_timeout(PATIENCE).unwrap(), line.as_bytes());
        }
    }

    #[test]
    fn a_stuck_writer_takes_as_many_lines_as_it_may_hold_and_finishes_without_them() {
        let (taken, is_taken) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let writer = LineWriter::start("lines", 3, move |_: &[u8]| {
            taken.send(()).unwrap();
            let _ = is_released.recv();
        });
        let writer = writer.unwrap();
        writer.write(b"1\n").unwrap();
        is_taken.recv_timeout(PATIENCE).unwrap();
        writer.write(b"2\n").unwrap();
        writer.write(b"3\n").unwrap();
        assert_eq!(writer.write(b"4\n"), Err(NotTaken));
        assert_eq!(writer.finish(Duration::from_millis(10)), 3);
        drop(release);
        assert_eq!(writer.finish(PATIENCE), 0);
    }

    #[test]
    fn a_writer_that_panics_takes_no_more_lines() {
        let writer = LineWriter::start("lines", 3, |_: &[u8]| panic!("for the test")).unwrap();
        writer.write(b"1\n").unwrap();
        assert_eq!(writer.finish(PATIENCE), 1);
        assert_eq!(writer.write(b"2\n"), Err(NotTaken));
    }
}
