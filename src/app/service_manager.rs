//! Tells the service manager, such as systemd, what the service does: the protocol of `sd_notify`.
//! Without `NOTIFY_SOCKET`, nobody is told.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::net::{SocketAddr, UnixDatagram},
    process,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// The service accepts calls.
pub(super) fn ready() {
    tell("READY=1\nSTATUS=serving calls\n");
}

/// The service has been asked to stop.
pub(super) fn stopping() {
    tell("STOPPING=1\nSTATUS=stopping when the calls in progress have ended\n");
}

/// Says twice in each `WATCHDOG_USEC` that the runtime still runs tasks. If it does not, the service
/// manager ends the process.
pub(super) fn feed_watchdog() -> Option<AbortOnDropHandle<()>> {
    let timeout = watchdog_timeout()?;
    let feeding = async move {
        let mut ticks = interval(timeout / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_told = true;
        loop {
            ticks.tick().await;
            let told = try_to_tell("WATCHDOG=1\n");
            // One warning for all messages in a row that fail.
            if let Err(error) = &told
                && was_told
            {
                warn(error);
            }
            was_told = told.is_ok();
        }
    };
    Some(AbortOnDropHandle::new(tokio::spawn(feeding)))
}

/// How often the service manager wants to hear from this process; `None` if it does not.
fn watchdog_timeout() -> Option<Duration> {
    let microseconds = number("WATCHDOG_USEC").filter(|number| *number > 1)?;
    let is_for_this_process = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    is_for_this_process.then_some(Duration::from_micros(microseconds))
}

/// The number that the service manager has put into this variable.
fn number(name: &str) -> Option<u64> {
    let value = env::var_os(name)?;
    let number = value.to_str().and_then(|value| value.parse().ok());
    if number.is_none() {
        tracing::warn!(
            name,
            ?value,
            "a variable of the service manager is not a number, so it is ignored"
        );
    }
    number
}

fn tell(message: &str) {
    if let Err(error) = try_to_tell(message) {
        warn(&error);
    }
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "cannot notify the service manager");
}

/// Without a service manager, does nothing.
fn try_to_tell(message: &str) -> io::Result<()> {
    env::var_os("NOTIFY_SOCKET").map_or(Ok(()), |address| send(&address, message))
}

/// Sends without waiting: a service manager that does not read must not stop calls.
fn send(address: &OsStr, message: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &parse(address)?)?;
    Ok(())
}

/// A path, or a name after `@`, which exists on Linux only.
fn parse(address: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name);
    }
    SocketAddr::from_pathname(address)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sent_to_a_path_or_to_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("@{}", path.display());
        for address in [path.as_os_str(), OsStr::new(&name)] {
            let manager = UnixDatagram::bind_addr(&parse(address).unwrap()).unwrap();
            send(address, "READY=1\n").unwrap();
            let mut received = [0; 100];
            let length = manager.recv(&mut received).unwrap();
            assert_eq!(&received[..length], b"READY=1\n");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let error = (0..100_000).find_map(|_| send(path.as_os_str(), "WATCHDOG=1\n").err());
        assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    }
}
